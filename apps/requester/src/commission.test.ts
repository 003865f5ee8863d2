import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { makeReceipt } from "@tallylight/protocol/ledger/receipt.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Handlers } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import { Commission } from "./commission.ts"
import { Requester } from "./requester.ts"

/** A requester beside a server that has another entry to show `steps` times, and refuses its registration. */
async function registrations(refusal: RefusalCode | undefined, steps: number) {
    const ledger = new SampleLedger("commission")
    const clock = new ManualClock()
    const { chain, genesis } = ledger.state
    const size = ledger.state.range.size
    const messageKey = seedSigner(ledger.keys.messageSeed)
    let asked = 0
    const handlers: Handlers = {
        ReqRegister: (body) => {
            asked += 1
            if (refusal !== undefined) return Promise.reject(new Refusal(refusal))
            if (body.role !== "requester") throw new Error("another role")
            const { role: _, ...sent } = body
            const entry = { ...sent, kind: "requester-registration", time: 0 } as const
            return Promise.resolve({ receipt: makeReceipt(chain, messageKey, size, entry) })
        },
    }
    const told: string[] = []
    const faults: unknown[] = []
    const onFault = (error: unknown): void => void faults.push(error)
    const limits = { frameBytes: 65_536, concurrentRequests: 8, failures: { burst: 8, perMinute: 8 } }
    const common = { chain, clock, requestTimeoutMs: 1000, limits, onFault }
    const [near, far] = channelPair()
    openPeer({ ...common, channel: near, side: "listener", handlers })
    const peer = openPeer({ ...common, channel: far, side: "dialler", handlers: {} })
    const { signer, members } = ledger.keys.solo
    const random = seededRandom("commission")
    const requester = new Requester({ signer, secret: members[0]!.secret }, new MemoryNotebook(), random)
    const ignore = (): void => undefined
    const commission = new Commission(
        requester,
        { rounds: 1, intervalMs: 0 },
        clock,
        new ReceiptBook(chain),
        {
            ...{ onRequested: ignore, onOpened: ignore, onBeacon: ignore, onBrokenPromise: ignore, onFault },
            onRegistered: () => told.push("registered"),
            onRefused: (what, { code }) => told.push(`${what} ${code}`),
            beforeActing: () => Promise.resolve(),
        },
    )
    const step = async (before: ChainState | undefined): Promise<void> => {
        const entry = ledger.entries.at(-1)!
        const index = ledger.entries.length - 1
        commission.take([{ index, leaf: new Uint8Array(32), entry, before, after: ledger.state }])
        for (let turns = 0; turns < 20; turns++) await settle()
    }
    commission.attach({ peer, genesis, size, clockAheadMs: 0, ended: new Promise(() => undefined) })
    await step(undefined)
    for (let at = 0; at < steps; at++) {
        const before = ledger.state
        ledger.admit(ledger.keys.parties[3]!.signer.publicKey, at % 2 === 0)
        await clock.advance(1000)
        await step(before)
    }
    return { asked, told, faults }
}

test("a registration that is taken is not sent again before the ledger shows it", async () => {
    expect(await registrations(undefined, 0)).toEqual({ asked: 1, told: ["registered"], faults: [] })
})

test("a registration that is refused for now is sent again", async () => {
    const { asked, told } = await registrations("rate-limited", 3)
    expect(asked).toBe(4)
    expect(told).toEqual(Array(4).fill("registration rate-limited"))
})

test("a registration that is refused for good is told once, and not sent again", async () => {
    expect(await registrations("revoked", 3)).toEqual({
        asked: 1,
        told: ["registration revoked"],
        faults: [],
    })
})

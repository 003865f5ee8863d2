import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import { Lottery } from "./lottery.ts"
import { Party } from "./party.ts"

/** How often an admitted party was refused its registration, before and after each step of a round of others. */
async function refusals(code: RefusalCode): Promise<number[]> {
    const ledger = new SampleLedger("refused")
    const clock = new ManualClock()
    const [first, second, third] = ledger.keys.parties
    for (const each of [first!, second!]) {
        ledger.admit(each.signer.publicKey, true)
        ledger.registerParty(each)
    }
    ledger.admit(third!.signer.publicKey, true)
    const { chain, genesis } = ledger.state
    let told = 0
    const faults: unknown[] = []
    const onFault = (error: unknown): void => void faults.push(error)
    const limits = { frameBytes: 65_536, concurrentRequests: 8, failures: { burst: 8, perMinute: 8 } }
    const common = { chain, clock, requestTimeoutMs: 1000, limits, onFault }
    const [near, far] = channelPair()
    const handlers = { ReqRegister: () => Promise.reject(new Refusal(code)) }
    openPeer({ ...common, channel: near, side: "listener", handlers })
    const peer = openPeer({ ...common, channel: far, side: "dialler", handlers: {} })
    const { size } = ledger.state.range
    const session = { peer, genesis, size, clockAheadMs: 0, ended: new Promise<never>(() => undefined) }
    const party = new Party(third!, new MemoryNotebook(), seededRandom("refused"))
    const ignore = (): void => undefined
    const lottery = new Lottery([party], session, ledger.state, clock, new ReceiptBook(chain), {
        ...{ onRegistered: ignore, onBarred: ignore, onAnswered: ignore, onBrokenPromise: ignore, onFault },
        onRefused: () => (told += 1),
        beforeActing: () => Promise.resolve(),
    })
    const counts: number[] = []
    const count = async (): Promise<void> => {
        for (let turns = 0; turns < 20; turns++) await settle()
        counts.push(told)
    }
    const step = async (log: () => void): Promise<void> => {
        const before: ChainState = ledger.state
        log()
        const index = ledger.entries.length - 1
        const entry = ledger.entries.at(-1)!
        lottery.take([{ index, leaf: new Uint8Array(32), entry, before, after: ledger.state }])
        await count()
    }
    lottery.act()
    await count()
    await step(() => ledger.registerRequester(ledger.keys.solo))
    await step(() => ledger.request(ledger.keys.solo))
    await step(() => ledger.due())
    await step(() => ledger.admit(third!.signer.publicKey, true))
    expect(faults).toEqual([])
    return counts
}

test("a party whose registration was refused tries again when a ticket opens a round", async () => {
    expect((await refusals("stale-sequence")).slice(0, 4)).toEqual([1, 1, 1, 2])
})

test("a party that was told to stop tries again only once it is admitted anew", async () => {
    expect(await refusals("revoked")).toEqual([1, 1, 1, 1, 2])
})

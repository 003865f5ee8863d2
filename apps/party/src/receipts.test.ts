import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { makeReceipt, WrongReceipt } from "@tallylight/protocol/ledger/receipt.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Handlers } from "@tallylight/protocol/wire/peer.js"
import { beforeEach, describe, expect, test } from "vitest"
import { Lottery } from "./lottery.ts"
import { Party } from "./party.ts"

let ledger: SampleLedger
let party: Party
/** What the server acknowledges, given what it was sent. */
let acknowledge: (sent: Entry) => Entry
let asked: string[]
let faults: unknown[]

/** The first round of a chain with one party, and nobody's answer to it yet. */
beforeEach(() => {
    ledger = new SampleLedger("receipts")
    const [keys, second] = ledger.keys.parties
    if (keys === undefined || second === undefined) throw new Error("the sample has four parties")
    for (const each of [keys, second]) {
        ledger.admit(each.signer.publicKey, true)
        ledger.registerParty(each)
    }
    ledger.registerRequester(ledger.keys.solo)
    ledger.request(ledger.keys.solo)
    ledger.due()
    party = new Party(keys, new MemoryNotebook(), seededRandom("party"))
    acknowledge = (sent) => sent
    asked = []
    faults = []
})

function connect(size = ledger.state.range.size): Session {
    const messageKey = seedSigner(ledger.keys.messageSeed)
    const { chain, genesis } = ledger.state
    const receiptFor = (kind: string, sent: Entry) => {
        asked.push(kind)
        return { receipt: makeReceipt(chain, messageKey, size, acknowledge(sent)) }
    }
    const handlers: Handlers = {
        ReqContribution: ({ ticket: _, ...body }) =>
            Promise.resolve(receiptFor("contribution", { ...body, kind: "contribution", time: ledger.time })),
    }
    const common = {
        ...{
            chain,
            clock: new ManualClock(),
            requestTimeoutMs: 1000,
            onFault: (error: unknown) => faults.push(error),
        },
        limits: { frameBytes: 65_536, concurrentRequests: 8, failures: { burst: 8, perMinute: 8 } },
    }
    const [near, far] = channelPair()
    openPeer({ ...common, channel: near, side: "listener", handlers })
    const peer = openPeer({ ...common, channel: far, side: "dialler", handlers: {} })
    return { peer, genesis, size, clockAheadMs: 0, ended: new Promise(() => undefined) }
}

async function run(session: Session): Promise<string[]> {
    const answered: string[] = []
    const receipts = new ReceiptBook(ledger.state.chain)
    const lottery = new Lottery([party], session, ledger.state, new ManualClock(), receipts, {
        onRegistered: () => undefined,
        onBarred: () => undefined,
        onAnswered: (_, __, kind) => answered.push(kind),
        onRefused: () => undefined,
        onBrokenPromise: () => undefined,
        beforeActing: () => Promise.resolve(),
        onFault: (error) => faults.push(error),
    })
    lottery.act()
    for (let turns = 0; turns < 20; turns++) await settle()
    return answered
}

describe("a party", () => {
    test("takes a receipt for what it sent", async () => {
        expect(await run(connect())).toEqual(["contribution"])
        expect(faults).toEqual([])
    })

    test("stops where the server acknowledges something else, and hides the contribution", async () => {
        const ticket = ledger.entries.at(-1)
        acknowledge = (sent) => ticket ?? sent
        expect(await run(connect())).toEqual([])
        expect(asked).toEqual(["contribution"])
        expect(faults).toMatchObject([{ name: "WrongReceipt" }])
        expect(faults[0]).toBeInstanceOf(WrongReceipt)
    })

    test("answers no round that only looks open on the way through history", async () => {
        expect(await run(connect(ledger.state.range.size + 1))).toEqual([])
        expect(asked).toEqual([])
    })
})

import { toHex } from "@tallylight/crypto/bytes.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Entry, EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { makeReceipt } from "@tallylight/protocol/ledger/receipt.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { contextOf } from "@tallylight/protocol/round/context.js"
import { makeAbsence, makeStatement, parseStatement } from "@tallylight/protocol/round/statement.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Handlers } from "@tallylight/protocol/wire/peer.js"
import { beforeEach, describe, expect, test } from "vitest"
import { NoEntropy } from "./entropy.ts"
import type { Entropy } from "./entropy.ts"
import { Lottery } from "./lottery.ts"
import { Party } from "./party.ts"

let ledger: SampleLedger
let draws: number
/** What the entropy node says for the next draws. */
let gives: "bytes" | "nothing" | "absence"

/** A round in which everybody is elected. */
beforeEach(() => {
    ledger = new SampleLedger("entropy of parties")
    const { parties, solo } = ledger.keys
    for (const party of parties) {
        ledger.admit(party.signer.publicKey, true)
        ledger.registerParty(party)
    }
    ledger.registerRequester(solo)
    ledger.request(solo)
    ledger.due()
    draws = 0
    gives = "bytes"
})

const nodeBytes = new Uint8Array(64).fill(0x5a)

const entropy: Entropy = {
    draw: async ({ chain }, current, identity) => {
        draws += 1
        await settle()
        if (gives === "nothing") throw new NoEntropy("the entropy node does not answer")
        if (gives === "absence") return { fromNode: new Uint8Array(), statement: makeAbsence("no node") }
        const source = {
            name: "os",
            kind: "system",
            simulated: false,
            state: "healthy",
            lock: "none",
        } as const
        const account = { time: draws, reseeds: draws, sources: [{ ...source, bytes: 64, failures: 0 }] }
        const { signer } = ledger.node
        return {
            fromNode: nodeBytes,
            statement: makeStatement(contextOf(chain, current), identity, signer, account),
        }
    },
}

function partyOf(number: number, notebook = new MemoryNotebook(), from = entropy): Party {
    return new Party(ledger.keys.parties[number]!, notebook, seededRandom(`party ${number}`), from)
}

const ask = (party: Party) => party.answer(ledger.state, ledger.open())

describe("a contribution", () => {
    test("carries its node's statement, and the ledger takes it", async () => {
        const answer = (await ask(partyOf(0))) as EntryOf<"contribution">
        expect(parseStatement(answer.statement)).toMatchObject({ of: "node" })
        ledger.log({ ...answer, time: ledger.now() })
        gives = "absence"
        const other = (await ask(partyOf(1))) as EntryOf<"contribution">
        ledger.log({ ...other, time: ledger.now() })
        expect(ledger.open().contributions.map(({ statement }) => parseStatement(statement)?.of)).toEqual([
            "node",
            "party",
        ])
    })

    test("depends on the node's bytes, which are nowhere in it", async () => {
        const [own, alone] = await Promise.all([
            ask(partyOf(0)),
            ask(
                partyOf(0, new MemoryNotebook(), {
                    draw: () => Promise.resolve({ fromNode: new Uint8Array(), statement: new Uint8Array() }),
                }),
            ),
        ])
        const [one, other] = [own, alone] as EntryOf<"contribution">[]
        // The same chance of the operating system, and so the same k.
        expect(one?.C).toEqual(other?.C)
        expect(one?.D).not.toEqual(other?.D)
        expect(JSON.stringify(own)).not.toContain(toHex(nodeBytes).slice(0, 16))
    })

    test("once written down is sent again as it was, and nothing is drawn for it", async () => {
        const notebook = new MemoryNotebook()
        const first = await ask(partyOf(0, notebook))
        gives = "nothing"
        expect(await ask(partyOf(0, notebook))).toEqual(first)
        expect(draws).toBe(1)
    })

    test("that was drawn and never written down was never given away either", async () => {
        class Dying extends MemoryNotebook {
            override write(): Promise<void> {
                return Promise.reject(new Error("the power is gone"))
            }
        }
        await expect(ask(partyOf(0, new Dying()))).rejects.toThrow("the power is gone")
        const notebook = new MemoryNotebook()
        const again = await ask(partyOf(0, notebook))
        expect(await ask(partyOf(0, notebook))).toEqual(again)
    })
})

describe("a party whose node is required and gives nothing", () => {
    let sent: Entry[]
    let faults: unknown[]
    let clock: ManualClock

    function connect(): Session {
        clock = new ManualClock()
        sent = []
        faults = []
        const messageKey = seedSigner(ledger.keys.messageSeed)
        const { chain, genesis, range } = ledger.state
        const handlers: Handlers = {
            ReqContribution: ({ ticket: _, ...body }) => {
                const entry: Entry = { ...body, kind: "contribution", time: ledger.now() }
                sent.push(entry)
                return Promise.resolve({ receipt: makeReceipt(chain, messageKey, range.size, entry) })
            },
        }
        const onFault = (error: unknown): void => void faults.push(error)
        const limits = { frameBytes: 65_536, concurrentRequests: 8, failures: { burst: 8, perMinute: 8 } }
        const common = { chain, clock, requestTimeoutMs: 10_000, limits, onFault }
        const [near, far] = channelPair()
        openPeer({ ...common, channel: near, side: "listener", handlers })
        const peer = openPeer({ ...common, channel: far, side: "dialler", handlers: {} })
        return { peer, genesis, size: range.size, clockAheadMs: 0, ended: new Promise(() => undefined) }
    }

    function lotteryOf(...parties: Party[]): Lottery {
        const ignore = (): void => undefined
        const session = connect()
        return new Lottery(parties, session, ledger.state, clock, new ReceiptBook(ledger.state.chain), {
            ...{ onRegistered: ignore, onBarred: ignore, onAnswered: ignore, onRefused: ignore },
            ...{ onBrokenPromise: ignore, onFault: (error) => faults.push(error) },
            beforeActing: () => Promise.resolve(),
        })
    }

    async function come(): Promise<void> {
        for (let turns = 0; turns < 20; turns++) await settle()
    }

    async function pass(seconds: number): Promise<void> {
        await come()
        for (let second = 0; second < seconds; second++) {
            await clock.advance(1000)
            await come()
        }
    }

    function step(lottery: Lottery, log: () => void): void {
        const before = ledger.state
        log()
        const index = ledger.entries.length - 1
        lottery.take([
            { index, leaf: new Uint8Array(32), entry: ledger.entries.at(-1)!, before, after: ledger.state },
        ])
    }

    test("keeps asking as long as the round is open, and contributes once it gets something", async () => {
        gives = "nothing"
        lotteryOf(partyOf(0)).act()
        await pass(3)
        expect([draws, sent.length]).toEqual([4, 0])
        gives = "bytes"
        await pass(3)
        expect([draws, sent.length]).toEqual([5, 1])
        expect(faults).toEqual([])
    })

    test("asks no more often because entries come meanwhile", async () => {
        gives = "nothing"
        const lottery = lotteryOf(partyOf(0))
        lottery.act()
        await pass(1)
        const before = draws
        for (let more = 0; more < 5; more++) {
            step(lottery, () => ledger.admit(ledger.keys.parties[3]!.signer.publicKey, true))
            await come()
        }
        const asked = draws
        expect(asked).toBe(before + 5)
        await pass(3)
        expect(draws).toBe(asked + 3)
    })

    test("stops asking when the round is over", async () => {
        gives = "nothing"
        const lottery = lotteryOf(partyOf(0))
        lottery.act()
        await pass(1)
        step(lottery, () => {
            ledger.time += 20_000
            ledger.due()
        })
        await pass(1)
        const asked = draws
        await pass(5)
        expect(draws).toBe(asked)
        expect(sent).toEqual([])
    })

    test("keeps no other party of its process waiting", async () => {
        const hanging: Entropy = { draw: () => new Promise(() => undefined) }
        lotteryOf(partyOf(0, new MemoryNotebook(), hanging), partyOf(1)).act()
        await pass(1)
        expect(sent).toMatchObject([{ identity: ledger.keys.parties[1]!.signer.publicKey }])
    })
})

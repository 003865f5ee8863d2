import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Refused } from "@tallylight/protocol/ledger/claim.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { find, pick, seal } from "@tallylight/protocol/sample/mutant.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { expect, test } from "vitest"
import { pdlConfig } from "../config.ts"
import { LedgerClock } from "../ledger/clock.ts"
import { LedgerWriter } from "../ledger/writer.ts"
import { Intake } from "../limits/intake.ts"
import { ProofPool } from "../proofs/pool.ts"
import { Acceptance } from "./acceptance.ts"

/** The sample as it was before the first answer to its first ticket; proofs hold when the test says so. */
async function openRound() {
    const sample = sampleLedger()
    const size = find(sample, "contribution")
    const state = sample.states[size - 1]
    if (state === undefined) throw new Error("the sample begins with a contribution")
    const bytes = sample.entries.slice(0, size).map(encodeEntry)
    const store = new MemoryStore()
    const { ledgerSeed, messageSeed } = sample.keys
    const head = await store.append(await store.head(), bytes, seal(sample, bytes, ledgerSeed))
    const time = new ManualClock(state.time)
    const clock = new LedgerClock(time, state, () => undefined)
    const onFault = (error: unknown): never => {
        throw error
    }
    const writer: LedgerWriter = new LedgerWriter({
        ...{ store, state, head, ledgerSeed, clock, onFault },
        onCommit: ({ from, entries }) =>
            entries.forEach((entry, at) => acceptance.remember({ index: from + at, entry })),
    })
    const asked: ((outcome: Refused | undefined) => void)[] = []
    const verifier = { verify: () => new Promise<Refused | undefined>((resolve) => asked.push(resolve)) }
    const acceptance: Acceptance = new Acceptance({
        ...{ writer, proofs: new ProofPool([verifier]).open(), backlog: 16 },
        intake: new Intake(pdlConfig.parse({}).limits, time, () => undefined),
        messageKey: seedSigner(messageSeed),
    })
    const contributions = [0, 1, 2].map((nth) => pick(sample, "contribution", nth).entry)
    const accept = (entry: SentEntry | undefined, address?: string): Promise<Receipt> => {
        if (entry === undefined) throw new Error("the sample's first round has three contributions")
        return acceptance.accept((time) => ({ ...entry, time }), {}, address)
    }
    const hold = async (): Promise<void> => {
        asked.shift()?.(undefined)
        await settle()
    }
    return { contributions, accept, hold, writer }
}

test("an answer whose twin is logged while it waits for its turn gets the twin's receipt", async () => {
    const { contributions, accept, hold, writer } = await openRound()
    const [first, second, third] = contributions
    const sent = [first, second, third, first].map((entry) => accept(entry))
    await hold()
    expect(writer.state.current?.contributions).toHaveLength(1)
    for (let left = 3; left > 0; left -= 1) await hold()
    const [receipt, , , ofTwin] = await Promise.all(sent)
    expect(ofTwin).toEqual(receipt)
})

test("one address cannot have so much verified that others are turned away", async () => {
    const { contributions, accept, hold } = await openRound()
    const [first, second, third] = contributions
    const [here, there] = ["192.0.2.1", "192.0.2.2"]
    const sent = [accept(first, here), accept(second, here)]
    await expect(accept(third, here)).rejects.toMatchObject({ code: "busy" })
    sent.push(accept(third, there))
    for (let left = 3; left > 0; left -= 1) await hold()
    expect(await Promise.all(sent)).toHaveLength(3)
    // Its place is free again, and what is logged needs none.
    expect(await accept(first, here)).toEqual(await sent[0])
})

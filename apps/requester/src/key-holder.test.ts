import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { commitPolynomial } from "@tallylight/crypto/threshold.js"
import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { beforeEach, expect, test } from "vitest"
import { KeyHolder, shareEntry } from "./key-holder.ts"
import type { HolderKeys } from "./key-holder.ts"

let ledger: SampleLedger
let asked: Message<"ReqDecryption">
let commitments: Uint8Array[]

/** A round of the sample's committee, two of three, that waits to be opened. */
beforeEach(() => {
    ledger = new SampleLedger("key holder")
    const { parties, committee } = ledger.keys
    for (const party of parties.slice(0, 2)) {
        ledger.admit(party.signer.publicKey, true)
        ledger.registerParty(party)
    }
    ledger.registerRequester(committee)
    ledger.request(committee)
    ledger.answerAll(parties.slice(0, 2))
    ledger.due()
    commitments = commitPolynomial(committee.polynomial).map(encodePoint)
    asked = question()
})

function question(): Message<"ReqDecryption"> {
    const { round, ticket, tally, tallyIndex: index } = ledger.sealed()
    const { genesis, range } = ledger.state
    const head = { origin: genesis.origin, size: range.size, root: rangeRoot(range) }
    return {
        round,
        ticket,
        C: tally.C,
        D: tally.D,
        index,
        checkpoint: signCheckpoint(head, ledger.keys.ledgerSeed),
    }
}

function holder(number: number, keys: Partial<HolderKeys> = {}, notebook = new MemoryNotebook()): KeyHolder {
    const { signer, secret } = ledger.keys.committee.members[number - 1]!
    return new KeyHolder({ signer, secret, commitments, ...keys }, notebook, seededRandom(`holder ${number}`))
}

async function code(opened: Promise<unknown>): Promise<string> {
    return opened.then(
        () => "opened",
        (error: unknown) => (error instanceof Refusal ? error.code : String(error)),
    )
}

test("each member opens with its own share, which holds", async () => {
    for (const number of [1, 2, 3]) {
        const answer = await holder(number).open(ledger.state, asked)
        expect(answer.member).toBe(number)
        // Marked as valid, which the ledger takes only if it is.
        ledger.log({ ...shareEntry(asked.round, answer), time: ledger.now() })
    }
})

test("a member gives the same bytes again, from what it wrote down", async () => {
    const notebook = new MemoryNotebook()
    const first = await holder(2, {}, notebook).open(ledger.state, asked)
    const other = new KeyHolder(
        { ...ledger.keys.committee.members[1]!, commitments },
        notebook,
        seededRandom("another process"),
    )
    expect(await other.open(ledger.state, asked)).toEqual(first)
})

test("a member that is asked twice at once gives one proof", async () => {
    const member = holder(2)
    const [one, other] = await Promise.all([1, 2].map(() => member.open(ledger.state, asked)))
    expect(other).toEqual(one)
})

test("a member opens nothing under another key than the one it has a share of", async () => {
    const other = commitments.map((_, at) => encodePoint(ristretto255.multiplyBase(BigInt(at + 5))))
    expect(await code(holder(1).open(ledger.state, asked))).toBe("opened")
    expect(await code(holder(1, { commitments: other }).open(ledger.state, asked))).toBe("not-a-member")
    expect(await code(holder(1, { commitments: commitments.slice(0, 1) }).open(ledger.state, asked))).toBe(
        "not-a-member",
    )
})

test("whoever is not of the round's committee opens nothing", async () => {
    const { signer } = ledger.keys.solo
    expect(await code(holder(1, { signer }).open(ledger.state, asked))).toBe("not-a-member")
})

test("a member opens only the tally that its own ledger has, in the checkpoint it has", async () => {
    const { origin } = ledger.state.genesis
    const size = asked.index + 1
    const another = signCheckpoint({ origin, size, root: new Uint8Array(32) }, ledger.keys.ledgerSeed)
    const stranger = signCheckpoint({ origin, size, root: rangeRoot(ledger.state.range) }, new Uint8Array(32))
    const wrong = [
        [{ D: asked.C }, "no-tally"],
        [{ index: asked.index - 1 }, "no-tally"],
        [{ round: asked.round + 1 }, "no-tally"],
        [{ checkpoint: another }, "forked"],
        [{ checkpoint: stranger }, "bad-checkpoint"],
    ] as const
    for (const [edit, refusal] of wrong)
        expect(await code(holder(1).open(ledger.state, { ...asked, ...edit }))).toBe(refusal)
})

import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { describe, expect, test } from "vitest"
import { encodeEntry } from "../ledger/entry.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { describeTwoHistories, evidenceFile, judgeEvidence } from "../verify/evidence.ts"
import { SecondLook } from "./second-look.ts"

const sample = new SampleLedger("second look")
const { genesis } = sample.state

/** The genesis, and behind it what is no entry at all: not even that matters to the log's hashes. */
function history(...more: readonly number[]): Uint8Array[] {
    return [encodeEntry(genesis), ...more.map((byte) => Uint8Array.of(byte))]
}

function sign(leaves: readonly Uint8Array[]): string {
    const range = leaves.map(leafHash).reduce(appendLeaf, emptyRange)
    const tree = { origin: genesis.origin, size: leaves.length, root: rangeRoot(range) }
    return signCheckpoint(tree, sample.keys.ledgerSeed)
}

/** What is learnt from that ledger, in Events of two entries, by somebody who has `notes`. */
function look(shown: readonly Uint8Array[], notes: readonly string[]) {
    let enough = 0
    const second = new SecondLook(notes, () => (enough += 1))
    second.greeted(genesis, sign(shown))
    for (let at = 0; at < shown.length; at += 2) {
        const entries = shown.slice(at, at + 2).map((entry, more) => ({ index: at + more, entry }))
        second.extend({ entries, size: shown.length, checkpoint: sign(shown) })
    }
    const { found, isOneHistory } = second
    const file = found && describeTwoHistories(genesis, [found.before, found.now.note], found.now.proof)
    const convicts = file && judgeEvidence(evidenceFile.parse(file)).convicts
    return { convicts, isOneHistory, isEnough: enough > 0 }
}

describe("a second look at a ledger", () => {
    const before = history(1, 2, 3)
    const grown = history(1, 2, 3, 4, 5)

    test("that extends both notes finds one history", () => {
        const notes = [sign(before), sign(grown)]
        expect(look(history(1, 2, 3, 4, 5, 6), notes)).toEqual({
            ...{ convicts: undefined, isOneHistory: true, isEnough: true },
        })
    })

    test.each([
        ["neither", history(1, 2, 7, 4, 5, 6)],
        ["the first note only", history(1, 2, 3, 4, 7)],
    ])("that extends %s convicts the server", (_, shown) => {
        const notes = [sign(before), sign(grown)]
        expect(look(shown, notes)).toEqual({ convicts: true, isOneHistory: false, isEnough: true })
    })

    test("that is shorter than one note decides nothing", () => {
        const notes = [sign(before), sign(grown)]
        expect(look(before, notes)).toEqual({ convicts: undefined, isOneHistory: false, isEnough: true })
    })

    test("that is not what the server signed is refused", () => {
        const second = new SecondLook([sign(before)], () => undefined)
        second.greeted(genesis, sign(grown))
        const entries = history(1, 2, 3, 4, 9).map((entry, index) => ({ index, entry }))
        expect(() => second.extend({ entries, size: 6, checkpoint: sign(grown) })).toThrow("wrong-root")
        expect([second.found, second.isOneHistory]).toEqual([undefined, false])
    })
})

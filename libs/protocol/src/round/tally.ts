/** The sealed sum (C*, D*) of a round's contributions, which nobody can open alone (PROTOCOL.md §5.5). */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { addCiphertexts, zeroCiphertext } from "@tallylight/crypto/elgamal.js"
import type { Ciphertext } from "@tallylight/crypto/elgamal.js"
import { appendLeaf, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { element } from "../chain/elements.ts"
import { encodeEntry } from "../ledger/entry.ts"
import type { EntryOf } from "../ledger/entry.ts"
import type { ChainState, OpenRound, SealedRound } from "../ledger/state.ts"
import type { UnixMs } from "../ports/clock.ts"
import { require } from "../wire/refusal.ts"
import { openRound, requireClosable } from "./phase.ts"

export function sumOf(current: OpenRound): Ciphertext {
    return current.contributions
        .map(({ C, D }) => ({ c: element(C), d: element(D) }))
        .reduce(addCiphertexts, zeroCiphertext)
}

export function isIdentitySum(current: OpenRound): boolean {
    return ristretto255.isIdentity(sumOf(current).c)
}

/** The tally of a round that has enough contributors and a sum that can be opened. */
export function sealTally(state: ChainState, current: OpenRound, time: UnixMs): EntryOf<"tally"> {
    const { c, d } = sumOf(current)
    return {
        kind: "tally",
        time,
        round: current.round,
        C: ristretto255.encode(c),
        D: ristretto255.encode(d),
        count: current.contributions.length,
        from: current.index + 1,
        to: state.range.size,
        answerBy: time + state.genesis.parameters.decryptionWindowMs,
    }
}

export function applyTally(state: ChainState, entry: EntryOf<"tally">): ChainState {
    const current = openRound(state, entry.round)
    requireClosable(state, current, entry.time)
    const { minimumContributors: minimum, decryptionWindowMs } = state.genesis.parameters
    const count = current.contributions.length
    require(count >= minimum, "wrong-reason", { count, minimum })
    require(entry.count === count, "wrong-range", { count })
    const { size } = state.range
    require(entry.from === current.index + 1 && entry.to === size, "wrong-range", { to: size })
    require(entry.answerBy === entry.time + decryptionWindowMs, "wrong-deadline", { got: entry.answerBy })
    const tallyLeaf = leafHash(encodeEntry(entry))
    const { closesAt: _, ...facts } = current
    const sealed: SealedRound = {
        ...facts,
        phase: "sealed",
        tally: entry,
        tallyIndex: size,
        tallyLeaf,
        tallyRoot: rangeRoot(appendLeaf(state.range, tallyLeaf)),
        answerBy: entry.answerBy,
        shares: [],
        extensions: 0,
    }
    return { ...state, current: sealed }
}

export function verifyTally(state: ChainState, entry: EntryOf<"tally">): void {
    const { c, d } = sumOf(openRound(state, entry.round))
    // A sum with C* = 0 would be opened by anybody: M = D*.
    require(!ristretto255.isIdentity(c), "wrong-reason", { problem: "identity sum" })
    require(equalBytes(entry.C, encodePoint(c)) && equalBytes(entry.D, ristretto255.encode(d)), "wrong-tally")
}

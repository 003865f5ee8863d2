/** What a pulse about a beacon has to say, and what it binds its node to. */
import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { describe, expect, test } from "vitest"
import { apply } from "../ledger/apply.ts"
import type { Entry, EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, EntropyNode } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { decodePulseMessage, encodePulseMessage, precommitmentOf, statusBits } from "../pulse/pulse.ts"
import type { PulseMessage } from "../pulse/pulse.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { Refusal } from "../wire/refusal.ts"
import { signableBeacons } from "./beacon.ts"
import { beaconPulseOf, chainDescription, combinedValue, externalSourceId } from "./beacon-pulse.ts"

const accepted = "accepted"

/** "accepted", or the refusal's code and facts. */
function outcome(attempt: () => void): unknown {
    try {
        attempt()
        return accepted
    } catch (error) {
        if (error instanceof Refusal) return [error.code, error.facts]
        throw error
    }
}

/** What the chain says to it before any proof is looked at. */
const applied = (state: ChainState, entry: Entry) => outcome(() => void apply(state, entry))

/** A chain whose entropy node is registered, after that many beacons. */
function after(beacons: number): SampleLedger {
    const ledger = new SampleLedger("beacon pulses")
    const { parties, solo } = ledger.keys
    for (const { publicKey } of [...parties, ledger.node].map(({ signer }) => signer))
        ledger.admit(publicKey, true)
    for (const party of parties) ledger.registerParty(party)
    ledger.registerRequester(solo)
    ledger.registerNode()
    for (let count = 0; count < beacons; count++) round(ledger)
    return ledger
}

/** A round from its request to its beacon. `late` happens between its ticket and its beacon. */
function round(ledger: SampleLedger, late?: () => void): void {
    const { parties, solo } = ledger.keys
    ledger.request(solo)
    ledger.answerAll(parties)
    ledger.due()
    late?.()
    ledger.openAlone(solo.members[0])
}

function nodeOf({ node, state }: SampleLedger): EntropyNode {
    return state.nodes.get(nameOf(node.signer.publicKey))!
}

/** The node's pulse about the beacon of that ordinal, not logged. */
function pulse({ node, state }: SampleLedger, ordinal: number): EntryOf<"pulse"> {
    const beacon = state.signable.find((one) => one.ordinal === ordinal)!
    const time = state.time + 1
    return { ...node.pulse(state, beacon, time), kind: "pulse", time }
}

/** The pulse with other fields, under the signature of the one that it was. */
function lie(entry: EntryOf<"pulse">, change: Partial<PulseMessage>): EntryOf<"pulse"> {
    const told = decodePulseMessage(entry.message)!
    return { ...entry, message: encodePulseMessage({ ...told, ...change }) }
}

describe("the external source of a pulse", () => {
    const { chain } = after(0).state

    test("is described by a text that names the chain", () => {
        const text = `Outputs R of the rounds of Tallylight chain ${toHex(chain)}, one for each pulse.\n`
        expect(chainDescription(chain)).toBe(text)
        expect(toHex(externalSourceId(chain))).toBe(toHex(sha512(utf8(text))))
    })
})

describe("a pulse", () => {
    const ledger = after(1)
    const { state } = ledger
    const honest = pulse(ledger, 1)
    const { external } = decodePulseMessage(honest.message)!
    const refused = (field: string) => ["bad-pulse", { field }]

    test("that is signed by its node's key is taken, and not under another's signature", () => {
        expect(applied(state, honest)).toBe(accepted)
        expect(outcome(() => verifyEntry(state, honest))).toBe(accepted)
        const other = { ...honest, proof: honest.proof.toReversed() }
        expect(outcome(() => verifyEntry(state, other))).toEqual(["bad-signature", {}])
    })

    test.each<[string, Partial<PulseMessage>]>([
        ["version", { version: "Version 2.0" }],
        ["cipherSuite", { cipherSuite: 1 }],
        ["period", { period: 60_000 }],
        ["chainIndex", { chainIndex: 3 }],
        ["certificateId", { certificateId: new Uint8Array(64) }],
        ["sourceId", { external: { ...external, sourceId: new Uint8Array(64) } }],
        ["externalStatus", { external: { ...external, statusCode: 1 } }],
        ["externalValue", { external: { ...external, value: new Uint8Array(64) } }],
        ["gap", { statusCode: statusBits.gap }],
    ])("whose %s is another is refused with its name", (field, change) => {
        expect(applied(state, lie(honest, {}))).toBe(accepted)
        expect(applied(state, lie(honest, change))).toEqual(refused(field))
    })

    test("is refused where its bytes are no pulse's", () => {
        for (const message of [new Uint8Array(8), Uint8Array.of(...honest.message, 0)])
            expect(applied(state, { ...honest, message })).toEqual(refused("message"))
    })

    test("is refused with the rule of its chain of pulses that it breaks", () => {
        expect(applied(state, lie(honest, { pulseIndex: 2 }))).toEqual([
            "bad-links",
            { problem: "pulse-index" },
        ])
    })

    test("is about a beacon that is out, and about each one once", () => {
        expect(applied(state, { ...honest, round: 2 })).toEqual(["no-beacon", { round: 2 }])
        expect(applied(apply(state, honest), honest)).toEqual(["already-signed", { round: 1 }])
    })
})

describe("a beacon", () => {
    test("is one of the latest 64 about which there may be pulses, where it is in time", () => {
        const ledger = after(1)
        const [before] = ledger.state.signable
        const { parties, solo } = ledger.keys
        ledger.request(solo)
        ledger.answerAll(parties)
        ledger.due()
        const { round, index: ticketIndex } = ledger.sealed()
        ledger.logShare(ledger.sealed(), solo.members[0]!)
        const sealed = ledger.state
        ledger.due()
        const beacon = ledger.entries.at(-1) as Entry & EntryOf<"beacon">
        const ordinals = Array.from({ length: 64 }, (_, at) => at + 1)
        const full = { beacons: 64, signable: ordinals.map((ordinal) => ({ ...before!, ordinal })) }
        expect(signableBeacons).toBe(64)
        const { signable, beacons } = apply({ ...sealed, ...full }, beacon)
        expect([beacons, signable.length, signable[0]?.ordinal]).toEqual([65, 64, 2])
        expect(signable.at(-1)).toEqual({ ordinal: 65, round, output: beacon.output, ticketIndex })
        const fewer = { beacons: 63, signable: full.signable.slice(0, 63) }
        expect(apply({ ...sealed, ...fewer }, beacon).signable[0]?.ordinal).toBe(1)
    })
})

describe("a first pulse", () => {
    test("has no gap in front of it, whatever its node did not sign", () => {
        const ledger = after(2)
        const second = pulse(ledger, 2)
        expect(applied(ledger.state, second)).toBe(accepted)
        expect(beaconPulseOf(ledger.state, second).missed).toBe(1)
        expect(applied(ledger.state, lie(second, { statusCode: statusBits.gap }))).toEqual([
            "bad-pulse",
            { field: "gap" },
        ])
    })
})

describe("a later pulse", () => {
    test("says that there is a gap where a beacon was passed over, and only there", () => {
        const ledger = after(1)
        ledger.pulse()
        round(ledger)
        const next = pulse(ledger, 2)
        expect(applied(ledger.state, next)).toBe(accepted)
        expect(beaconPulseOf(ledger.state, next).missed).toBe(0)
        const refused = ["bad-pulse", { field: "gap" }]
        expect(applied(ledger.state, lie(next, { statusCode: statusBits.gap }))).toEqual(refused)
        round(ledger)
        const later = pulse(ledger, 3)
        expect(applied(ledger.state, later)).toBe(accepted)
        expect(beaconPulseOf(ledger.state, later).missed).toBe(1)
        const { lostPrecommitment } = statusBits
        expect(applied(ledger.state, lie(later, { statusCode: lostPrecommitment }))).toEqual(refused)
    })
})

describe("what a node committed to", () => {
    test("is opened by its pulse, and promised by the one before", () => {
        const ledger = after(0)
        ledger.commit(1, 2)
        round(ledger)
        const honest = pulse(ledger, 1)
        expect(applied(ledger.state, honest)).toBe(accepted)
        for (const field of ["localRandomValue", "precommitmentValue"] as const)
            expect(applied(ledger.state, lie(honest, { [field]: new Uint8Array(64).fill(1) }))).toEqual([
                "bad-opening",
                { field },
            ])
    })

    test("binds it where that was before the ticket, and not after it", () => {
        const isBound = (ledger: SampleLedger) => beaconPulseOf(ledger.state, pulse(ledger, 1)).isBound
        const before = after(0)
        before.commit(1, 1)
        round(before)
        expect(isBound(before)).toBe(true)
        const late = after(0)
        round(late, () => {
            late.commit(1, 1)
        })
        expect(isBound(late)).toBe(false)
        expect(isBound(after(1))).toBe(false)
    })

    test("stays what it was, whatever its pulses promise again", () => {
        const ledger = after(0)
        ledger.commit(1, 3)
        const { commitments } = nodeOf(ledger)
        round(ledger)
        ledger.pulse()
        expect(nodeOf(ledger)).toMatchObject({ commitments, nextCommitment: 4, signed: 1 })
    })
})

describe("a pulse whose node has committed to nothing for the next beacon", () => {
    const index = ({ state }: SampleLedger) => state.range.size - 1

    test("is the commitment, where that beacon is still to come", () => {
        const ledger = after(1)
        ledger.pulse()
        const value = precommitmentOf(ledger.node.value(2))
        expect(nodeOf(ledger)).toMatchObject({ nextCommitment: 3, signed: 1 })
        expect(nodeOf(ledger).commitments.get(2)).toEqual({ value, index: index(ledger) })
        round(ledger)
        expect(beaconPulseOf(ledger.state, pulse(ledger, 2)).isBound).toBe(true)
    })

    test("is it also where the node has committed to the one that it is about", () => {
        const ledger = after(0)
        ledger.commit(1, 1)
        round(ledger)
        ledger.pulse()
        expect(nodeOf(ledger).nextCommitment).toBe(3)
        expect(nodeOf(ledger).commitments.get(2)?.index).toBe(index(ledger))
    })

    test("is none where that beacon is out, whose output its node knows", () => {
        const ledger = after(2)
        ledger.log(pulse(ledger, 1))
        expect(nodeOf(ledger)).toMatchObject({ nextCommitment: 0, signed: 1 })
        expect(nodeOf(ledger).commitments.size).toBe(0)
        const second = pulse(ledger, 2)
        expect(applied(ledger.state, second)).toBe(accepted)
        expect(beaconPulseOf(ledger.state, second)).toMatchObject({ isBound: false, missed: 0 })
    })
})

test("what a pulse comes to is of that beacon and that value", () => {
    const ledger = after(1)
    const { chain } = ledger.state
    const [beacon] = ledger.state.signable
    const localRandomValue = ledger.node.value(1)
    const Z = combinedValue(chain, beacon!, localRandomValue)
    expect(beaconPulseOf(ledger.state, pulse(ledger, 1))).toEqual({
        ...{ round: 1, ordinal: 1, localRandomValue, hardware: false, isBound: false, missed: 0, Z },
        timeStamp: decodePulseMessage(pulse(ledger, 1).message)?.timeStamp,
    })
    const others = [
        combinedValue(chain.toReversed(), beacon!, localRandomValue),
        combinedValue(chain, { ...beacon!, round: 2 }, localRandomValue),
        combinedValue(chain, { ...beacon!, output: localRandomValue }, localRandomValue),
        combinedValue(chain, beacon!, beacon!.output),
    ]
    expect(new Set([Z, ...others].map(toHex)).size).toBe(5)
})

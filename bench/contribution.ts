/** Contributions verified and made per second on one core, and what the parts of that cost. */
import { createPublicKey, verify } from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { apply } from "@tallylight/protocol/ledger/apply.js"
import type { Claim } from "@tallylight/protocol/ledger/claim.js"
import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { verifyClaim } from "@tallylight/protocol/ledger/judge.js"
import { claimsOf, verifyEntry } from "@tallylight/protocol/ledger/verify.js"
import { drawPoint, makeContribution } from "@tallylight/protocol/round/contribution.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import type { SampleParty } from "@tallylight/protocol/sample/sample-keys.js"
import { each, rates, ratio } from "./measure.ts"
import { openRoundOfAll } from "./open-round.ts"
import type { Table } from "./report.ts"

type Contribution = EntryOf<"contribution">

const repetitions = 7
const msEach = 400

export function contribution(): Table {
    const ledger = openRoundOfAll()
    const { state } = ledger
    const { parties } = ledger.keys
    const contributions = parties.flatMap((party) => Array.from({ length: 8 }, () => make(ledger, party)))
    const next = each(contributions)
    const nextParty = each(parties)
    const nextSigned = each(contributions.map((made) => signed(ledger, made)))
    const rows = rates(
        [
            { what: "verified, whole", run: () => verifyEntry(state, next()) },
            { what: "  signature (Ed25519)", run: () => verifyClaim(claimOf(ledger, next(), "signature")) },
            {
                what: "  plaintext knowledge (Schnorr)",
                run: () => verifyClaim(claimOf(ledger, next(), "knowledge")),
            },
            { what: "  eligibility (ECVRF)", run: () => verifyClaim(claimOf(ledger, next(), "vrf")) },
            { what: "folded into the state, no proofs", run: () => apply(state, next()) },
            { what: "made, whole", run: () => make(ledger, nextParty()) },
            { what: "  its lot (ECVRF)", run: () => drawLot(nextParty().vrfSeed, ledger.open()) },
            {
                what: "signature by noble's own rule (cofactored)",
                run: () => {
                    const { message, signature, identity } = nextSigned()
                    must(ed25519.verify(signature, message, identity))
                },
            },
            {
                what: "signature by node:crypto's rule (OpenSSL), key imported before",
                run: () => {
                    const { message, signature, key } = nextSigned()
                    must(verify(null, message, key, signature))
                },
            },
        ],
        repetitions,
        msEach,
    )
    const [whole, own, , , , made, , noble, openssl] = rows
    return {
        name: "contribution",
        says: "one core, one by one, through the functions of the fold; each part alone, and two other rules for signatures",
        rows: [
            ...rows,
            ratio("noble's rule / ours, signature alone", noble, own),
            ratio("node:crypto's rule / ours, signature alone", openssl, own),
            ratio("made / verified", made, whole),
        ],
    }
}

/** As a party makes it. */
function make(ledger: SampleLedger, { signer, vrfSeed }: SampleParty): Contribution {
    const current = ledger.open()
    const lot = drawLot(vrfSeed, current)
    const point = drawPoint(new Uint8Array(), systemRandom(64))
    const own = { signer, lot, point, statement: new Uint8Array() }
    const made = makeContribution(ledger.state.chain, current, own, systemRandom)
    return { ...made, kind: "contribution", time: ledger.time }
}

/** One of the claims that the whole consists of. */
function claimOf<K extends Claim["claim"]>({ state }: SampleLedger, made: Contribution, kind: K) {
    const isIt = (claim: Claim): claim is Claim & { readonly claim: K } => claim.claim === kind
    const claim = claimsOf(state, made).find(isIt)
    if (claim === undefined) throw new Error(`a contribution makes no claim of ${kind}`)
    return claim
}

function signed(ledger: SampleLedger, made: Contribution) {
    const { identity, signature } = made
    const x = Buffer.from(identity).toString("base64url")
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" })
    return { message: transcript(...claimOf(ledger, made, "signature").statement), identity, signature, key }
}

function must(holds: boolean): void {
    if (!holds) throw new Error("a valid contribution was refused: the benchmark measures the wrong thing")
}

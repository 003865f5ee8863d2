/** The proofs and signatures of an entry, judged in the state in front of it (PROTOCOL.md §7). */
import { admissionClaims } from "../chain/admission.ts"
import { nodeRegistrationClaims } from "../chain/entropy-node.ts"
import { verifyGenesis } from "../chain/genesis.ts"
import { partyRegistrationClaims } from "../chain/party.ts"
import { requesterRegistrationClaims } from "../chain/requester.ts"
import { revocationClaims } from "../chain/revocation.ts"
import { abstentionClaims } from "../round/abstention.ts"
import { verifyBeacon } from "../round/beacon.ts"
import { pulseClaims } from "../round/beacon-pulse.ts"
import { commitmentClaims } from "../round/commitment.ts"
import { contributionClaims } from "../round/contribution.ts"
import { requestClaims } from "../round/request.ts"
import { shareClaims } from "../round/share.ts"
import { verifyTally } from "../round/tally.ts"
import { verifyTicket } from "../round/ticket.ts"
import type { Claim } from "./claim.ts"
import type { Entry } from "./entry.ts"
import { verifyClaim } from "./judge.ts"
import type { ChainState } from "./state.ts"

/** What others send to the ledger server; the other kinds are of its own making. */
export type SentEntry = Exclude<
    Entry,
    { readonly kind: "genesis" | "ticket" | "extension" | "tally" | "beacon" | "void" }
>

/**
 * Refuses an entry that `apply(state, entry)` takes but whose proofs do not hold. Milliseconds for each proof:
 * call `apply` first, which costs microseconds.
 */
export function verifyEntry(state: ChainState, entry: Entry): void {
    switch (entry.kind) {
        case "genesis":
            return verifyGenesis(entry)
        case "ticket":
            return verifyTicket(state, entry)
        case "tally":
            return verifyTally(state, entry)
        case "beacon":
            return verifyBeacon(state, entry)
        case "extension":
        case "void":
            // Nothing in them is proved: what they say follows from the state, and `apply` has compared it.
            return
        case "admission":
        case "party-registration":
        case "requester-registration":
        case "revocation":
        case "request":
        case "contribution":
        case "abstention":
        case "share":
        case "commitment":
        case "pulse":
        case "node-registration":
            return claimsOf(state, entry).forEach(verifyClaim)
    }
}

/**
 * What must hold of an entry that `apply(state, entry)` takes: its proofs hold iff all claims do, and the first one
 * that does not says what it is refused with. Microseconds. Throws a Refusal where the state has moved on.
 */
export function claimsOf(state: ChainState, entry: SentEntry): readonly Claim[] {
    switch (entry.kind) {
        case "admission":
            return admissionClaims(state, entry)
        case "party-registration":
            return partyRegistrationClaims(state, entry)
        case "requester-registration":
            return requesterRegistrationClaims(state, entry)
        case "revocation":
            return revocationClaims(state, entry)
        case "request":
            return requestClaims(state, entry)
        case "contribution":
            return contributionClaims(state, entry)
        case "abstention":
            return abstentionClaims(state, entry)
        case "share":
            return shareClaims(state, entry)
        case "commitment":
            return commitmentClaims(state, entry)
        case "pulse":
            return pulseClaims(state, entry)
        case "node-registration":
            return nodeRegistrationClaims(state, entry)
    }
}

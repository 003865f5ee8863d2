/**
 * The fold: what each entry does to the chain's state (PROTOCOL.md §6.2). `apply` checks everything that needs
 * no proof, so an entry out of place is refused here, by the server, by followers and by auditors alike;
 * `verifyEntry` in verify.ts checks the proofs. Both throw a Refusal and change nothing.
 */
import { appendLeaf, leafHash } from "@tallylight/crypto/merkle.js"
import { applyAdmission } from "../chain/admission.ts"
import { stateBefore } from "../chain/genesis.ts"
import { applyNodeRegistration, requireEntropyNodes } from "../chain/entropy-node.ts"
import { applyPartyRegistration } from "../chain/party.ts"
import { applyRequesterRegistration } from "../chain/requester.ts"
import { applyRevocation } from "../chain/revocation.ts"
import { applyAbstention } from "../round/abstention.ts"
import { applyBeacon } from "../round/beacon.ts"
import { applyPulse } from "../round/beacon-pulse.ts"
import { applyCommitment } from "../round/commitment.ts"
import { applyContribution } from "../round/contribution.ts"
import { applyExtension, applyVoid } from "../round/ending.ts"
import { applyRequest } from "../round/request.ts"
import { applyShare } from "../round/share.ts"
import { applyTally } from "../round/tally.ts"
import { applyTicket } from "../round/ticket.ts"
import { Refusal, require } from "../wire/refusal.ts"
import { encodeEntry } from "./entry.ts"
import type { Entry } from "./entry.ts"
import type { ChainState } from "./state.ts"

/** The state after entry 0. */
export function begin(entry: Entry): ChainState {
    if (entry.kind !== "genesis") throw new Refusal("bad-genesis", { kind: entry.kind })
    return logged(stateBefore(entry), entry)
}

/** The state after `entry`, which must be the ledger's next. */
export function apply(state: ChainState, entry: Entry): ChainState {
    // To a reader of version 1 these are no entries at all, whatever else is wrong with them.
    if (entry.kind === "commitment" || entry.kind === "pulse" || entry.kind === "node-registration")
        requireEntropyNodes(state)
    require(entry.time >= state.time, "time-backwards", { last: state.time, time: entry.time })
    return logged(transition(state, entry), entry)
}

function logged(state: ChainState, entry: Entry): ChainState {
    return { ...state, time: entry.time, range: appendLeaf(state.range, leafHash(encodeEntry(entry))) }
}

function transition(state: ChainState, entry: Entry): ChainState {
    switch (entry.kind) {
        case "genesis":
            throw new Refusal("bad-genesis", { problem: "a second genesis" })
        case "admission":
            return applyAdmission(state, entry)
        case "party-registration":
            return applyPartyRegistration(state, entry)
        case "requester-registration":
            return applyRequesterRegistration(state, entry)
        case "revocation":
            return applyRevocation(state, entry)
        case "request":
            return applyRequest(state, entry)
        case "ticket":
            return applyTicket(state, entry)
        case "contribution":
            return applyContribution(state, entry)
        case "abstention":
            return applyAbstention(state, entry)
        case "extension":
            return applyExtension(state, entry)
        case "tally":
            return applyTally(state, entry)
        case "share":
            return applyShare(state, entry)
        case "beacon":
            return applyBeacon(state, entry)
        case "void":
            return applyVoid(state, entry)
        case "commitment":
            return applyCommitment(state, entry)
        case "pulse":
            return applyPulse(state, entry)
        case "node-registration":
            return applyNodeRegistration(state, entry)
    }
}

/** The proofs and signatures of an entry, judged in the state in front of it (PROTOCOL.md §7). */
import { verifyAdmission } from "../chain/admission.ts"
import { verifyGenesis } from "../chain/genesis.ts"
import { verifyPartyRegistration } from "../chain/party.ts"
import { verifyRequesterRegistration } from "../chain/requester.ts"
import { verifyRevocation } from "../chain/revocation.ts"
import { verifyAbstention } from "../round/abstention.ts"
import { verifyBeacon } from "../round/beacon.ts"
import { verifyContribution } from "../round/contribution.ts"
import { verifyRequest } from "../round/request.ts"
import { verifyShare } from "../round/share.ts"
import { verifyTally } from "../round/tally.ts"
import { verifyTicket } from "../round/ticket.ts"
import type { Entry } from "./entry.ts"
import type { ChainState } from "./state.ts"

/**
 * Refuses an entry that `apply(state, entry)` takes but whose proofs do not hold. Milliseconds for each proof:
 * call `apply` first, which costs microseconds.
 */
export function verifyEntry(state: ChainState, entry: Entry): void {
    const steps = verifySteps(state, entry)
    while (steps.next().done !== true);
}

/** The same in steps, each of which takes milliseconds, for whoever has other work in between. */
export function* verifySteps(state: ChainState, entry: Entry): Generator<void, void> {
    if (entry.kind === "requester-registration") yield* verifyRequesterRegistration(state, entry)
    else verifyAtOnce(state, entry)
}

function verifyAtOnce(state: ChainState, entry: Exclude<Entry, { kind: "requester-registration" }>): void {
    switch (entry.kind) {
        case "genesis":
            return verifyGenesis(entry)
        case "admission":
            return verifyAdmission(state, entry)
        case "party-registration":
            return verifyPartyRegistration(state, entry)
        case "revocation":
            return verifyRevocation(state, entry)
        case "request":
            return verifyRequest(state, entry)
        case "ticket":
            return verifyTicket(state, entry)
        case "contribution":
            return verifyContribution(state, entry)
        case "abstention":
            return verifyAbstention(state, entry)
        case "tally":
            return verifyTally(state, entry)
        case "share":
            return verifyShare(state, entry)
        case "beacon":
            return verifyBeacon(state, entry)
        case "extension":
        case "void":
            // Nothing in them is proved: what they say follows from the state, and `apply` has compared it.
            return
    }
}

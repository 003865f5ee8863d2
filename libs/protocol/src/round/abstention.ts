/** "I drew, and was not elected": lets a round close as soon as everybody answered (PROTOCOL.md §5.4). */
import { sign, signatureClaim } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import type { Claim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, OpenRound } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"
import { contextOf, contextParts } from "./context.ts"
import type { RoundContext } from "./context.ts"
import { answeringParty, isElected, lotClaim } from "./eligibility.ts"
import type { Lot } from "./eligibility.ts"
import { openRound } from "./phase.ts"

type Abstention = Omit<EntryOf<"abstention">, "kind" | "time">

function statement(context: RoundContext, { identity, y, pi }: Omit<Abstention, "signature">): Statement {
    return [tags.signAbstention, ...contextParts(context, identity), y, pi]
}

export function makeAbstention(chain: Uint8Array, current: OpenRound, signer: Signer, lot: Lot): Abstention {
    const fields = { round: current.round, identity: signer.publicKey, y: lot.y, pi: lot.pi }
    return { ...fields, signature: sign(signer, statement(contextOf(chain, current), fields)) }
}

export function applyAbstention(state: ChainState, entry: EntryOf<"abstention">): ChainState {
    require(state.genesis.parameters.everyoneAnswers, "abstention-not-asked")
    const current = openRound(state, entry.round)
    require(entry.time < current.closesAt, "round-closed", { closedAt: current.closesAt })
    answeringParty(current, entry.identity)
    require(!isElected(entry.y, current.k, current.roster.size), "eligible")
    const answered = new Set(current.answered).add(nameOf(entry.identity))
    return { ...state, current: { ...current, answered } }
}

export function abstentionClaims(state: ChainState, entry: EntryOf<"abstention">): readonly Claim[] {
    const current = openRound(state, entry.round)
    const party = answeringParty(current, entry.identity)
    return [
        signatureClaim(entry.identity, statement(contextOf(state.chain, current), entry), entry.signature),
        lotClaim(party, current.ticket, entry),
    ]
}

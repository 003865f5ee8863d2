/** What the sender of a refused message may do: send it corrected, try again later, or give up. */
export type Disposition = "fix" | "wait" | "stop"

/**
 * Every way to say no (PROTOCOL.md §9), for peers, for verifiers and for programs. A code never changes its
 * meaning. All failures inside one proof share one code: which step failed is nothing that a peer needs to know.
 */
export const refusals = {
    // The wire
    malformed: ["fix", "The message does not have the form that PROTOCOL.md gives it."],
    oversized: ["fix", "The frame is larger than this side accepts."],
    "unknown-message": ["stop", "No message of that name is answered here."],
    "unsupported-version": ["stop", "None of the offered protocol versions is spoken here."],
    "wrong-chain": ["stop", "The message is for another chain than this connection's."],
    unauthenticated: [
        "fix",
        "The hello does not answer the nonce that this connection was given last, or names a second identity on it.",
    ],
    "no-such-entry": ["fix", "The ledger holds no entry, round or tree of that number."],
    "already-subscribed": ["fix", "One connection carries one subscription."],
    "over-budget": ["wait", "This connection has sent too many messages that failed; connect again later."],
    busy: ["wait", "The server has more work queued than it accepts."],
    "rate-limited": [
        "wait",
        "That is more than one address, one identity or all newcomers may add at a time.",
    ],
    unverified: ["stop", "The server failed over the proofs of the message; its operator can see why."],
    "shutting-down": ["wait", "The server is stopping; connect again."],

    // Keys and registrations
    "bad-key": ["fix", "A key is not canonical, has small order, or has torsion where its kind may not."],
    "bad-signature": ["fix", "The signature does not verify under the named identity's key."],
    "bad-possession": ["fix", "The proof of possession does not verify under the registered key."],
    "bad-committee": ["fix", "Members, threshold and commitments do not fit together."],
    "key-taken": ["stop", "Another identity of this chain has registered that key."],
    "stale-sequence": ["fix", "The sequence number is not above the last one of this identity."],
    "not-admitted": ["stop", "This chain admits listed parties only, and the identity is not on its list."],
    "not-registered": ["fix", "The identity has no registration in force."],
    revoked: ["stop", "The identity's registration was revoked, which is for ever."],
    "not-operator": ["stop", "This chain is open to every party: it has no list to admit to or remove from."],

    // Requests and tickets
    "wrong-encryption-key": ["fix", "The key is not the one that the requester has registered."],
    "queue-full": ["wait", "The queue of requests, or the requester's share of it, is full."],
    "roster-too-small": ["wait", "Fewer parties are registered than a round needs."],
    "too-far-ahead": ["fix", "A request may ask for a ticket at most a day ahead."],
    "round-open": ["wait", "A round is in progress; the next ticket comes after its end."],
    "out-of-turn": ["stop", "The ticket does not belong to the request whose turn it is."],
    "wrong-round": ["stop", "Rounds are numbered from 1 without a gap."],
    "wrong-seed": [
        "stop",
        "The seed is not the output of the first round that got its ticket after this request.",
    ],
    "bad-vrf": ["stop", "The ledger server's VRF proof does not verify."],
    "wrong-ticket": [
        "stop",
        "The ticket is not the hash of what it must commit to, or belongs to another round.",
    ],
    "wrong-election": ["stop", "The numbers k and n are not those of this round."],
    "wrong-deadline": ["stop", "The deadline is not the entry's time plus the chain's window."],

    // Contributions and abstentions
    "no-round": ["wait", "No round is open for contributions."],
    "round-closed": ["wait", "The deadline of the round has passed."],
    "not-on-roster": [
        "wait",
        "The party is not on this round's roster; a registration counts for later requests.",
    ],
    "already-contributed": ["stop", "The party has answered this round already; the first answer stands."],
    "bad-eligibility": ["stop", "The VRF output or its proof does not verify under the party's VRF key."],
    "not-eligible": ["stop", "The VRF output is not below the threshold."],
    eligible: ["fix", "The VRF output is below the threshold: a contribution is due."],
    "abstention-not-asked": ["stop", "On this chain parties that are not elected stay silent."],
    "bad-point": ["fix", "A point or scalar is not canonical, or is the identity."],
    "bad-knowledge": ["stop", "The proof that the contributor knows its own point does not verify."],

    "bad-statement": [
        "fix",
        "The statement about the entropy does not have the form that PROTOCOL.md gives it.",
    ],

    // Entropy nodes
    "wrong-commitment": [
        "fix",
        "Commitments are for beacons to come, for each of them once, and not farther ahead than is kept.",
    ],
    "no-beacon": ["stop", "None of the latest beacons that were in time is of that round."],
    "already-signed": ["stop", "The node has signed that beacon or a later one, or registered after it."],
    "bad-pulse": ["stop", "The pulse is not the one that its node owes for that beacon."],
    "bad-links": ["stop", "The pulse does not follow from the node's pulse before it."],
    "bad-opening": ["stop", "The pulse's values are not those that the node committed to."],

    // Tally, decryption, beacon, void
    "too-early": ["wait", "The window is still open and somebody may yet answer."],
    "wrong-tally": ["stop", "The tally is not the sum of the contributions of its round."],
    "wrong-range": ["stop", "Count or ledger range are not those of the round."],
    "no-tally": ["wait", "No sealed tally of that round waits to be opened."],
    "not-a-member": ["stop", "The identity is not that member of the round's committee."],
    "already-answered": ["stop", "The member's share of this tally is on record; the first one stands."],
    "wrong-shares": ["stop", "A beacon takes exactly t valid shares on record, in ascending order."],
    "bad-share": ["stop", "The share's proof does not verify."],
    "wrong-point": ["stop", "The opened point is not the combination of the shares."],
    "wrong-output": ["stop", "The output is not the hash that the round determines."],
    "wrong-reason": ["stop", "The round may not end in this way."],
    "no-extension": ["stop", "The window may not be extended, or not to that time."],

    // The log
    "bad-genesis": ["stop", "The first entry, and it alone, is a well-formed genesis."],
    "malformed-entry": ["stop", "The bytes are not an entry of this protocol version."],
    "time-backwards": ["stop", "The entry's time is before that of the entry in front of it."],
    "empty-ledger": ["stop", "There is nothing here to verify."],
    "missing-entries": ["stop", "The log holds fewer entries than its checkpoint says."],
    "bad-checkpoint": ["stop", "The checkpoint is malformed or not signed by the chain's ledger key."],
    "wrong-root": ["stop", "The entries do not hash to the checkpoint's root."],
    forked: ["stop", "The ledger does not extend the checkpoint that was seen before."],
} as const satisfies Readonly<Record<string, readonly [Disposition, string]>>

export type RefusalCode = keyof typeof refusals

/** Numbers and short strings (bytes as hex) that explain a refusal to programs. */
export type Facts = Readonly<Record<string, string | number | boolean>>

/** A proper no: the code for programs, the facts that explain it, and what the sender may do next. */
export class Refusal extends Error {
    override readonly name = "Refusal"
    readonly code: RefusalCode
    readonly facts: Facts

    constructor(code: RefusalCode, facts: Facts = {}) {
        const shown = Object.entries(facts).map(([name, value]) => `${name} ${value}`)
        super(`${code}: ${refusals[code][1]}${shown.length > 0 ? ` (${shown.join(", ")})` : ""}`)
        this.code = code
        this.facts = facts
    }

    get disposition(): Disposition {
        return refusals[this.code][0]
    }
}

/** Refuses unless `holds`. */
export function require(holds: boolean, code: RefusalCode, facts?: Facts): asserts holds {
    if (!holds) throw new Refusal(code, facts)
}

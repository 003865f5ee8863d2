/** Key holders that open wrongly, twice or for others, and strangers that say they are key holders. */
import assert from "node:assert/strict"
import { uint16, uint64 } from "@tallylight/crypto/bytes.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { signHello } from "@tallylight/protocol/chain/hello.js"
import type { EntryOf, RecordedShare } from "@tallylight/protocol/ledger/entry.js"
import type { SealedRound } from "@tallylight/protocol/ledger/state.js"
import { sign } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { contextOf, contextParts } from "@tallylight/protocol/round/context.js"
import { openTally } from "@tallylight/protocol/round/share.js"
import type { SampleMember } from "@tallylight/protocol/sample/sample-keys.js"
import { tags } from "@tallylight/protocol/tags.js"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"
import { Arena } from "./arena.ts"
import { badElements, badScalars } from "./encodings.ts"

type Answer = Awaited<ReturnType<Arena["opens"]>>

async function opened(arena: Arena): Promise<void> {
    await arena.openRound()
    assert.equal((await arena.finish()).kind, "beacon")
}

/** The first member answers once with `cheat`, and the others wait until the PDL has said something about it. */
async function judged(
    arena: Arena,
    cheat: (sealed: SealedRound, member: SampleMember) => Answer | Promise<Answer>,
): Promise<string> {
    let tried = false
    arena.opens = async (sealed, member) => {
        if (member.index === 1 && !tried) {
            tried = true
            return cheat(sealed, member)
        }
        await arena.verdict(sealed.round, 1)
        return arena.opensHonestly(sealed, member)
    }
    try {
        const { round } = await arena.openRound()
        assert.equal((await arena.finish()).kind, "beacon", "the others open it")
        return await arena.verdict(round, 1)
    } finally {
        arena.opens = (sealed, member) => arena.opensHonestly(sealed, member)
    }
}

function lastShareOf(arena: Arena, member: number): EntryOf<"share"> {
    const shares = arena.ledger.entries.filter(
        (entry): entry is EntryOf<"share"> & typeof entry => entry.kind === "share",
    )
    const share = shares.findLast((entry) => entry.share.member === member)
    if (share === undefined) throw new Error("that member has opened nothing yet")
    return share
}

/** What the ledger says about the first member, whose signed share was logged. */
async function recorded(
    arena: Arena,
    cheat: (sealed: SealedRound, member: SampleMember) => Answer,
): Promise<string> {
    assert.equal(await judged(arena, cheat), "logged")
    return lastShareOf(arena, 1).valid ? "accepted" : "recorded as wrong"
}

function lie(arena: Arena, sealed: SealedRound, { index, signer, secret }: SampleMember): RecordedShare {
    const own = { member: index, signer, secret: secret + 1n, random: systemRandom(32) }
    return openTally(arena.chain, sealed, own)
}

function wrongShare(
    name: string,
    edit: (share: RecordedShare, wrong: RecordedShare) => readonly Partial<RecordedShare>[],
): Attack<Arena> {
    return {
        ...{ name, stoppedBy: "recorded as wrong", honest: opened },
        attack: async (arena) => {
            const outcomes = new Set<string>()
            for (let at = 0, left = 1; left > 0; at += 1, left -= 1) {
                const outcome = await recorded(arena, (sealed, member) => {
                    const wrong = lie(arena, sealed, member)
                    const share = openTally(arena.chain, sealed, {
                        ...{ member: member.index, ...member, random: systemRandom(32) },
                    })
                    const edits = edit(share, wrong)
                    if (at === 0) left = edits.length
                    return signShare(arena.chain, sealed, member.signer, { ...share, ...edits[at] })
                })
                outcomes.add(outcome)
            }
            return [...outcomes].join()
        },
    }
}

/** The member's signature over whatever is in the share. */
function signShare(
    chain: Uint8Array,
    sealed: SealedRound,
    signer: Signer,
    share: RecordedShare,
): RecordedShare {
    const { tally, tallyIndex, tallyLeaf, tallyRoot } = sealed
    const { member, S, c, z } = share
    const seen = [tally.C, tally.D, uint64(tallyIndex), tallyLeaf, tallyRoot]
    const context = contextParts(contextOf(chain, sealed), signer.publicKey)
    return {
        ...share,
        signature: sign(signer, [tags.signShare, ...context, uint16(member), ...seen, S, c, z]),
    }
}

/** A second hello, as somebody, with the signature that `sign` makes. */
async function hello(
    arena: Arena,
    identity: Uint8Array,
    makeSignature: (nonces: { clientNonce: Uint8Array; serverNonce: Uint8Array }) => Uint8Array,
    answering?: Uint8Array,
): Promise<string> {
    const stranger = await arena.stranger()
    const anonymous = { identity: null, answering: null, signature: null }
    const common = { versions: [1], role: "requester" as const }
    const { nonce } = await stranger.ask("ReqHello", { ...common, nonce: systemRandom(32), ...anonymous })
    const clientNonce = systemRandom(32)
    const signature = makeSignature({ clientNonce, serverNonce: answering ?? nonce })
    const known = { identity, answering: answering ?? nonce, signature }
    const outcome = await stranger.outcome("ReqHello", { ...common, nonce: clientNonce, ...known })
    stranger.close()
    return outcome
}

function helloSigner(arena: Arena, signer: Signer) {
    const { messageKey } = arena.state.genesis
    return (nonces: { clientNonce: Uint8Array; serverNonce: Uint8Array }): Uint8Array =>
        signHello(signer, { chain: arena.chain, role: "requester", messageKey, ...nonces })
}

async function authenticates(arena: Arena): Promise<void> {
    const { signer } = arena.requester
    assert.equal(await hello(arena, signer.publicKey, helloSigner(arena, signer)), "accepted")
}

export const shares = group("shares", "shares.ts", () => Arena.open({ members: 3 }), [
    wrongShare("a share of another point, with a proof of its own", (_, wrong) => [wrong]),
    wrongShare("the right share with a wrong proof", (_, { c, z }) => [{ c }, { z }]),
    wrongShare("a share that is no element, or the identity", () =>
        badElements.slice(0, 3).map((S) => ({ S })),
    ),
    wrongShare("a share whose proof is not below q", () => badScalars.flatMap((s) => [{ c: s }, { z: s }])),
    {
        name: "more wrong shares than a threshold can do without",
        stoppedBy: "wrong-share",
        honest: opened,
        attack: async (arena) => {
            arena.opens = (sealed, member) => Promise.resolve(lie(arena, sealed, member))
            await arena.openRound()
            const end = await arena.finish()
            arena.opens = (sealed, member) => arena.opensHonestly(sealed, member)
            return end.kind === "void" ? end.reason : "accepted"
        },
    },
    {
        name: "a share that was made for an earlier round",
        stoppedBy: "bad-signature",
        honest: opened,
        attack: (arena) => judged(arena, () => lastShareOf(arena, 1).share),
    },
    {
        name: "a share under another member's number",
        stoppedBy: "not-a-member",
        honest: opened,
        attack: (arena) =>
            judged(arena, async (sealed, member) => ({
                ...(await arena.opensHonestly(sealed, member)),
                member: 2,
            })),
    },
    {
        name: "a member framed with a share that another sends in its name",
        stoppedBy: "not-a-member",
        honest: opened,
        attack: (arena) =>
            judged(arena, (sealed, member) => {
                const victim = arena.requester.members[1] ?? member
                return {
                    ...lie(arena, sealed, { ...victim, signer: member.signer }),
                    identity: victim.signer.publicKey,
                }
            }),
    },
    {
        name: "a share that its member did not sign",
        stoppedBy: "bad-signature",
        honest: opened,
        attack: (arena) =>
            judged(arena, async (sealed, member) => ({
                ...(await arena.opensHonestly(sealed, member)),
                signature: new Uint8Array(64),
            })),
    },
    {
        name: "two shares of one member",
        stoppedBy: "already-answered",
        honest: opened,
        attack: async (arena) => {
            const [member] = arena.requester.members
            if (member === undefined) throw new Error("a committee has members")
            const second = await arena.seat(member)
            arena.opens = async (sealed, { index, ...own }) => {
                if (index !== 1) await arena.verdict(sealed.round, 1, 1)
                return arena.opensHonestly(sealed, { index, ...own })
            }
            const { round } = await arena.openRound()
            await arena.finish()
            arena.opens = (sealed, own) => arena.opensHonestly(sealed, own)
            second.close()
            const verdicts = [await arena.verdict(round, 1), await arena.verdict(round, 1, 1)]
            assert.ok(verdicts.includes("logged"))
            return verdicts.find((verdict) => verdict !== "logged") ?? "accepted"
        },
    },
    {
        name: "a stranger that says it is a key holder",
        stoppedBy: "bad-signature",
        honest: authenticates,
        attack: (arena) => {
            const impostor = helloSigner(arena, arena.party(0).signer)
            return hello(arena, arena.requester.signer.publicKey, impostor)
        },
    },
    {
        name: "a key holder's hello, overheard and sent again",
        stoppedBy: "unauthenticated",
        honest: authenticates,
        attack: (arena) => {
            const { signer } = arena.requester
            return hello(arena, signer.publicKey, helloSigner(arena, signer), systemRandom(32))
        },
    },
    {
        name: "a hello under an identity of small order",
        stoppedBy: "bad-signature",
        honest: authenticates,
        attack: (arena) => {
            // With R = A = the identity, S = 0: a signature of every message, for libraries that take it.
            const identity = Uint8Array.of(1, ...new Uint8Array(31))
            return hello(arena, identity, () => Uint8Array.of(1, ...new Uint8Array(63)))
        },
    },
])

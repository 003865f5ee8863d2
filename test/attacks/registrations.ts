/** Keys that were not registered, no longer count, belong to others or are no keys; and requests nobody may make. */
import assert from "node:assert/strict"
import { concatBytes, uint16 } from "@tallylight/crypto/bytes.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { decodeEdwards, Edwards } from "@tallylight/crypto/edwards25519.js"
import { commitPolynomial } from "@tallylight/crypto/threshold.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { makePartyRegistration, signPartyRegistration } from "@tallylight/protocol/chain/party.js"
import { joinCommittee, makeRequesterRegistration } from "@tallylight/protocol/chain/requester.js"
import type { CommitteePlan } from "@tallylight/protocol/chain/requester.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import { sign } from "@tallylight/protocol/chain/signer.js"
import type { CommitteeMember } from "@tallylight/protocol/ledger/entry.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import { farthestAheadMs, makeRequest } from "@tallylight/protocol/round/request.js"
import type { SampleMember, SampleParty, SampleRequester } from "@tallylight/protocol/sample/sample-keys.js"
import { tags } from "@tallylight/protocol/tags.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"
import { Arena, newParty, newRequester } from "./arena.ts"
import { badElements, nonCanonical, smallOrder, withTorsion } from "./encodings.ts"

const zeros = (length: number): Uint8Array => new Uint8Array(length)

/** Somebody new registers, and is on the roster of the next round. */
async function joins(arena: Arena): Promise<void> {
    const party = newParty()
    await arena.registerParty(party)
    const current = await arena.openRound()
    assert.ok(current.roster.has(nameOf(party.signer.publicKey)))
    await arena.contribute(party, current)
    await arena.retire(party)
    assert.equal((await arena.finish()).kind, "beacon")
}

/** Somebody new registers as a requester, whose request is taken and whose round is opened. */
async function requests(arena: Arena, requester = newRequester()): Promise<void> {
    await arena.registerRequester(requester)
    const seats = await Promise.all(requester.members.map((member) => arena.seat(member)))
    const [Y] = commitPolynomial(requester.polynomial).map(encodePoint)
    const fields = { Y: Y ?? zeros(32), nonce: systemRandom(32), sequence: 0, notBefore: 0 }
    const request = makeRequest(arena.chain, requester.signer, fields)
    assert.equal(await arena.outcome("ReqGenTick", request), "accepted")
    await arena.ledger.until("the ticket", () => arena.state.current?.phase === "open")
    assert.equal((await arena.finish()).kind, "beacon")
    seats.forEach((seat) => seat.close())
}

const committee = (arena: Arena): Promise<void> => requests(arena, newRequester(3))

/** The codes with which these messages are turned down; afterwards a round succeeds. */
async function refused<R extends "ReqRegister" | "ReqRevoke" | "ReqGenTick" | "ReqContribution">(
    arena: Arena,
    type: R,
    bodies: readonly Message<R>[],
): Promise<string> {
    const stranger = await arena.stranger()
    const codes = new Set<string>()
    for (const body of bodies) codes.add(await stranger.outcome(type, body))
    stranger.close()
    return [...codes].join()
}

type PartyRegistration = Extract<Message<"ReqRegister">, { role: "party" }>

/** Registrations of a party, each changed and signed again by its own identity. */
function party(
    name: string,
    stoppedBy: string,
    make: (arena: Arena, own: SampleParty) => readonly Partial<PartyRegistration>[],
): Attack<Arena> {
    return {
        ...{ name, stoppedBy, honest: joins },
        attack: (arena) => {
            const own = newParty()
            const honest = makePartyRegistration(arena.chain, own, 0)
            const cheats = make(arena, own).map((fields) => ({
                role: "party" as const,
                ...signPartyRegistration(arena.chain, own.signer, { ...honest, ...fields }),
                ...(fields.signature && { signature: fields.signature }),
            }))
            return refused(arena, "ReqRegister", cheats)
        },
    }
}

/** Registrations of a committee of three whose plan, or whose members' parts, are not what they should be. */
function committeeCheat(
    name: string,
    stoppedBy: string,
    edit: (
        arena: Arena,
        honest: SampleRequester,
    ) => readonly {
        readonly plan?: Partial<CommitteePlan>
        readonly joined?: (members: readonly CommitteeMember[]) => readonly CommitteeMember[]
        readonly members?: readonly SampleMember[]
    }[],
    honest: Attack<Arena>["honest"] = committee,
): Attack<Arena> {
    return {
        ...{ name, stoppedBy, honest },
        attack: (arena) => {
            const own = newRequester(3)
            const bodies = edit(arena, own).map(({ plan: changed, joined: change, members }) => {
                const plan = { ...planOf(own), ...changed }
                const joined = (members ?? own.members).map((member) =>
                    joinCommittee(arena.chain, plan, { ...member, random: systemRandom(32) }),
                )
                const parts = change === undefined ? joined : change(joined)
                const made = makeRequesterRegistration(arena.chain, plan, 0, own.signer, parts)
                return { role: "requester" as const, ...made, identity: plan.identity }
            })
            return refused(arena, "ReqRegister", bodies)
        },
    }
}

function planOf({ signer, polynomial, members }: SampleRequester): CommitteePlan {
    return {
        ...{ identity: signer.publicKey, dealt: true },
        commitments: commitPolynomial(polynomial).map(encodePoint),
        identities: members.map((member) => member.signer.publicKey),
    }
}

function withFirst<T extends object>(items: readonly T[], fields: Partial<T>): T[] {
    return items.map((item, at) => (at === 0 ? { ...item, ...fields } : item))
}

const badKeys = (): readonly Uint8Array[] => [...smallOrder, ...nonCanonical, withTorsion()]

/** The VRF key of an own secret plus a published key: lots under it would follow from the published ones. */
function shifted(vrfKey: Uint8Array): Uint8Array {
    const point = decodeEdwards(vrfKey)
    if (point === undefined) throw new Error("a registered key decodes")
    return point.add(Edwards.BASE).toBytes()
}

/** A contribution to the open round by somebody who is not on its roster. */
async function outsider(arena: Arena, own: SampleParty, open = arena.openRound()): Promise<string> {
    const current = await open
    const cheat = arena.contribution(own, current)
    const outcome = await arena.outcome("ReqContribution", { ...cheat, ticket: current.ticket })
    assert.equal((await arena.finish()).kind, "beacon")
    return outcome
}

const parties: readonly Attack<Arena>[] = [
    {
        name: "a contribution of a key that is not registered",
        stoppedBy: "not-on-roster",
        honest: joins,
        attack: (arena) => outsider(arena, newParty()),
    },
    {
        name: "a key registered once the ticket is known, and searched for until it is elected",
        stoppedBy: "not-on-roster",
        honest: joins,
        attack: async (arena) => {
            const current = await arena.openRound()
            let lucky = newParty()
            while (!drawLot(lucky.vrfSeed, { ...current, k: 1 }).elected) lucky = newParty()
            await arena.registerParty(lucky)
            const outcome = await outsider(arena, lucky, Promise.resolve(current))
            await arena.retire(lucky)
            return outcome
        },
    },
    {
        name: "a key registered between the request and its ticket",
        stoppedBy: "not-on-roster",
        honest: joins,
        attack: async (arena) => {
            await arena.openRound()
            const request = await arena.request()
            const late = newParty()
            await arena.registerParty(late)
            assert.equal((await arena.finish()).kind, "beacon")
            const outcome = await outsider(arena, late, arena.ticketFor(request))
            await arena.retire(late)
            return outcome
        },
    },
    {
        name: "a VRF key exchanged for a luckier one in an open round",
        stoppedBy: "bad-eligibility",
        honest: joins,
        attack: async (arena) => {
            const own = newParty()
            await arena.registerParty(own)
            const current = await arena.openRound()
            const luckier = { ...own, vrfSeed: systemRandom(32) }
            await arena.registerParty(luckier, 1)
            const cheat = arena.contribution(luckier, current)
            const outcome = await arena.outcome("ReqContribution", { ...cheat, ticket: current.ticket })
            await arena.contribute(own, current)
            await arena.retire(own)
            assert.equal((await arena.finish()).kind, "beacon")
            return outcome
        },
    },
    {
        name: "a contribution of a party that was revoked",
        stoppedBy: "not-on-roster",
        honest: joins,
        attack: async (arena) => {
            const own = newParty()
            await arena.registerParty(own)
            await arena.retire(own)
            return outsider(arena, own)
        },
    },
    {
        name: "a revoked party that registers again",
        stoppedBy: "revoked",
        honest: joins,
        attack: async (arena) => {
            const own = newParty()
            await arena.registerParty(own)
            await arena.retire(own)
            const again = makePartyRegistration(arena.chain, own, 2)
            return arena.outcome("ReqRegister", { role: "party", ...again })
        },
    },
    {
        name: "a revocation of somebody else",
        stoppedBy: "bad-signature",
        honest: joins,
        attack: async (arena) => {
            const { signature } = makeRevocation(arena.chain, newParty().signer, 1)
            const { publicKey: identity } = arena.party(0).signer
            const outcome = await arena.outcome("ReqRevoke", { identity, sequence: 1, signature })
            await joins(arena)
            return outcome
        },
    },
    {
        name: "a registration sent again after it was renewed",
        stoppedBy: "its first receipt",
        honest: joins,
        attack: async (arena) => {
            const own = newParty()
            const stranger = await arena.stranger()
            const first = { role: "party" as const, ...makePartyRegistration(arena.chain, own, 0) }
            const { receipt } = await stranger.ask("ReqRegister", first)
            const renewed = { ...own, vrfSeed: systemRandom(32) }
            await arena.registerParty(renewed, 1)
            const again = await stranger.ask("ReqRegister", first)
            stranger.close()
            const inForce = arena.state.parties.get(nameOf(own.signer.publicKey))
            assert.deepEqual(inForce?.vrfKey, vrfPublicKey(renewed.vrfSeed))
            await arena.retire(own)
            return again.receipt.index === receipt.index ? "its first receipt" : "accepted"
        },
    },
    {
        name: "a registration with a number that was used",
        stoppedBy: "stale-sequence",
        honest: joins,
        attack: async (arena) => {
            const own = newParty()
            await arena.registerParty(own)
            const other = { ...own, vrfSeed: systemRandom(32) }
            const again = makePartyRegistration(arena.chain, other, 0)
            const outcome = await arena.outcome("ReqRegister", { role: "party", ...again })
            await arena.retire(own)
            return outcome
        },
    },
    party("a registration that was made for another chain", "bad-signature", (_, own) => [
        makePartyRegistration(zeros(32), own, 0),
    ]),
    party("one VRF key under two identities", "key-taken", (arena) => [
        { vrfKey: vrfPublicKey(arena.party(0).vrfSeed) },
    ]),
    party("another's identity as a VRF key", "key-taken", (arena) => [
        { vrfKey: arena.party(0).signer.publicKey },
    ]),
    party("the ledger server's own VRF key", "key-taken", (arena) => [
        { vrfKey: arena.state.genesis.vrfKey },
    ]),
    party("a VRF key made of another's", "bad-possession", (arena) => [
        { vrfKey: shifted(vrfPublicKey(arena.party(0).vrfSeed)) },
    ]),
    party("an identity of small order, not canonical or with torsion", "bad-key", () =>
        badKeys().map((identity) => ({ identity })),
    ),
    party("a VRF key of small order or not canonical", "bad-key", () =>
        [...smallOrder, ...nonCanonical].map((vrfKey) => ({ vrfKey })),
    ),
    {
        name: "a party that registers as a requester too",
        stoppedBy: "key-taken",
        honest: requests,
        attack: (arena) => {
            const { signer } = arena.party(0)
            const { polynomial, members } = newRequester()
            const own = { signer, polynomial, members: members.map((member) => ({ ...member, signer })) }
            return arena.outcome("ReqRegister", { role: "requester", ...arena.committeeOf(own) })
        },
    },
]

const committees: readonly Attack<Arena>[] = [
    committeeCheat("another requester's encryption key", "key-taken", (arena, own) => {
        const [Y] = commitPolynomial(arena.requester.polynomial).map(encodePoint)
        return [{ plan: { commitments: [Y ?? zeros(32), ...planOf(own).commitments.slice(1)] } }]
    }),
    committeeCheat("an encryption key made of another requester's", "bad-possession", (arena, own) => {
        const [Y] = commitPolynomial(arena.requester.polynomial)
        const rogue = encodePoint(ristretto255.add(Y ?? ristretto255.base, ristretto255.base))
        return [{ plan: { commitments: [rogue, ...planOf(own).commitments.slice(1)] } }]
    }),
    committeeCheat("member keys that do not lie on one polynomial", "bad-possession", (_, own) => [
        {
            members: own.members.map((member) => ({
                ...member,
                secret: member.secret + BigInt(member.index ** 2),
            })),
        },
        { plan: { commitments: planOf(own).commitments.toReversed() } },
    ]),
    committeeCheat("a member that did not sign", "bad-signature", () => [
        { joined: (members) => withFirst(members, { signature: zeros(64) }) },
        { joined: (members) => withFirst(members, { signature: members[1]?.signature ?? zeros(64) }) },
    ]),
    committeeCheat("a committee of which a third can open", "bad-committee", (_, own) => [
        { plan: { commitments: planOf(own).commitments.slice(0, 1) } },
    ]),
    committeeCheat("more shares to open than members", "bad-committee", (_, own) => {
        const { commitments } = planOf(own)
        return [{ plan: { commitments: [...commitments, ...commitments] } }]
    }),
    committeeCheat("one member in two seats", "bad-committee", (_, own) => {
        const members = withFirst(own.members, { signer: own.members[1]?.signer ?? own.signer })
        return [{ members, plan: { identities: members.map(({ signer }) => signer.publicKey) } }]
    }),
    committeeCheat("a member whose share is zero, so that everybody has it", "bad-committee", (_, own) => {
        // f(1) = 0 for f(z) = a - a z.
        const a = own.polynomial[0] ?? 1n
        const commitments = [
            ristretto255.multiplyBase(a),
            ristretto255.subtract(ristretto255.identity, ristretto255.multiplyBase(a)),
        ].map(encodePoint)
        return [{ plan: { commitments } }]
    }),
    committeeCheat("a requester's identity of small order, not canonical or with torsion", "bad-key", () =>
        badKeys().map((identity) => ({ plan: { identity } })),
    ),
    committeeCheat("a member's identity of small order, not canonical or with torsion", "bad-key", () =>
        badKeys().map((identity) => ({ joined: (members) => withFirst(members, { identity }) })),
    ),
    committeeCheat("an encryption key that is no element, or the identity", "bad-point", (_, own) =>
        badElements.map((Y) => ({ plan: { commitments: [Y, ...planOf(own).commitments.slice(1)] } })),
    ),
    committeeCheat("a commitment that is no element, or the identity", "bad-point", (_, own) =>
        badElements.map((A) => ({ plan: { commitments: [...planOf(own).commitments.slice(0, 1), A] } })),
    ),
    committeeCheat(
        "a proof of possession with A that is no element, or the identity",
        "bad-point",
        (arena, own) =>
            badElements.map((A) => ({ joined: (members) => withFirst(members, resigned(arena, own, A)) })),
    ),
]

/** The first member's part with another A, which it signed. */
function resigned(arena: Arena, own: SampleRequester, A: Uint8Array): Partial<CommitteeMember> {
    const [member] = own.members
    if (member === undefined) throw new Error("a committee has members")
    const part = joinCommittee(arena.chain, planOf(own), { ...member, random: systemRandom(32) })
    const { identity, dealt, commitments, identities } = planOf(own)
    const plan = [arena.chain, identity, Uint8Array.of(dealt ? 1 : 0), concatBytes(...commitments)]
    const parts = [...plan, concatBytes(...identities), uint16(1), A, part.s]
    return { ...part, A, signature: sign(member.signer, [tags.signCommitteeMember, ...parts]) }
}

/** A request by the honest requester, changed and signed again, or under a name that is not the signer's. */
async function request(
    arena: Arena,
    fields: Parameters<Arena["nextRequest"]>[0],
    edit: object = {},
): Promise<string> {
    return arena.outcome("ReqGenTick", { ...arena.nextRequest(fields), ...edit })
}

async function honestRequest(arena: Arena): Promise<void> {
    await arena.openRound()
    assert.equal((await arena.finish()).kind, "beacon")
}

const queue: readonly Attack<Arena>[] = [
    {
        name: "a request of somebody who is not registered",
        stoppedBy: "not-registered",
        honest: honestRequest,
        attack: (arena) => {
            const fields = { Y: zeros(32), nonce: zeros(32), sequence: 0, notBefore: 0 }
            return arena.outcome("ReqGenTick", makeRequest(arena.chain, newParty().signer, fields))
        },
    },
    {
        name: "a request under a key that its members do not hold, is no element, or is the identity",
        stoppedBy: "wrong-encryption-key",
        honest: honestRequest,
        attack: async (arena) => {
            const foreign = encodePoint(ristretto255.multiplyBase(7n))
            const bodies = [foreign, ...badElements].map((Y) => arena.nextRequest({ Y }))
            return refused(arena, "ReqGenTick", bodies)
        },
    },
    {
        name: "a request in another requester's name",
        stoppedBy: "bad-signature",
        honest: honestRequest,
        attack: (arena) => request(arena, {}, { signature: zeros(64) }),
    },
    {
        name: "a request under an identity of small order, not canonical or with torsion",
        stoppedBy: "not-registered",
        honest: honestRequest,
        attack: (arena) =>
            refused(
                arena,
                "ReqGenTick",
                badKeys().map((identity) => ({ ...arena.nextRequest(), identity })),
            ),
    },
    {
        name: "a revocation under an identity of small order, not canonical or with torsion",
        stoppedBy: "not-registered",
        honest: joins,
        attack: (arena) =>
            refused(
                arena,
                "ReqRevoke",
                badKeys().map((identity) => ({ identity, sequence: 9, signature: zeros(64) })),
            ),
    },
    {
        name: "a contribution under an identity of small order, not canonical or with torsion",
        stoppedBy: "not-on-roster",
        honest: honestRequest,
        attack: async (arena) => {
            const current = await arena.openRound()
            const own = { ...arena.contribution(arena.party(0), current), ticket: current.ticket }
            const codes = await refused(
                arena,
                "ReqContribution",
                badKeys().map((identity) => ({ ...own, identity })),
            )
            await arena.finish()
            return codes
        },
    },
    {
        name: "a request for a round the day after tomorrow",
        stoppedBy: "too-far-ahead",
        honest: honestRequest,
        attack: (arena) => request(arena, { notBefore: arena.state.time + 2 * farthestAheadMs }),
    },
    {
        name: "a third request in the queue",
        stoppedBy: "queue-full",
        honest: honestRequest,
        attack: async (arena) => {
            await arena.openRound()
            const waiting = [await arena.request(), await arena.request()]
            const outcome = await request(arena, {})
            for (const index of waiting) {
                await arena.finish()
                await arena.ticketFor(index)
            }
            await arena.finish()
            return outcome
        },
    },
    {
        name: "a request sent again after its round",
        stoppedBy: "its first receipt",
        honest: honestRequest,
        attack: async (arena) => {
            const body = arena.nextRequest()
            const stranger = await arena.stranger()
            const first = await stranger.ask("ReqGenTick", body)
            await arena.ticketFor(first.receipt.index)
            await arena.finish()
            const again = await stranger.ask("ReqGenTick", body)
            stranger.close()
            assert.equal(arena.state.current, undefined, "no second round")
            return again.receipt.index === first.receipt.index ? "its first receipt" : "accepted"
        },
    },
    {
        name: "a request with a number that was used",
        stoppedBy: "stale-sequence",
        honest: honestRequest,
        attack: (arena) => request(arena, { sequence: 0 }),
    },
]

export const registrations = group("registrations and requests", "registrations.ts", () => Arena.open(), [
    ...parties,
    ...committees,
    ...queue,
])

/** Everybody but who lapses renews as often as it takes. */
async function passRounds(arena: Arena, count: number): Promise<void> {
    for (let round = 0; round < count; round += 1) {
        await arena.renew()
        await honestRequest(arena)
    }
}

const open = () => Arena.open({ chain: { registrationRounds: 2 } })

export const expiries = group("registrations that ended", "registrations.ts", open, [
    {
        name: "a contribution under a registration that has expired",
        stoppedBy: "not-on-roster",
        honest: async (arena) => {
            await arena.renew()
            await joins(arena)
        },
        attack: async (arena) => {
            const lapsed = newParty()
            await arena.registerParty(lapsed)
            for (let round = 1; round <= 2; round += 1) {
                await arena.renew()
                await arena.contribute(lapsed, await arena.openRound())
                assert.equal((await arena.finish()).kind, "beacon")
            }
            await arena.renew()
            return outsider(arena, lapsed)
        },
    },
    {
        name: "a request under a registration that has expired",
        stoppedBy: "not-registered",
        honest: async (arena) => {
            await arena.renew()
            await requests(arena)
        },
        attack: async (arena) => {
            const lapsed = newRequester()
            await arena.registerRequester(lapsed)
            await passRounds(arena, 2)
            await arena.renew()
            const [Y] = commitPolynomial(lapsed.polynomial).map(encodePoint)
            const fields = { Y: Y ?? zeros(32), nonce: systemRandom(32), sequence: 0, notBefore: 0 }
            return arena.outcome("ReqGenTick", makeRequest(arena.chain, lapsed.signer, fields))
        },
    },
])

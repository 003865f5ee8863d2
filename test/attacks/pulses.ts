/** An entropy node that wants to choose what it adds to a beacon, and whoever puts words into one's mouth. */
import assert from "node:assert/strict"
import { toHex } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, EntropyNode, SignableBeacon } from "@tallylight/protocol/ledger/state.js"
import { noLinks } from "@tallylight/protocol/pulse/pulse.js"
import type { PulseMessage } from "@tallylight/protocol/pulse/pulse.js"
import { signContribution } from "@tallylight/protocol/round/contribution.js"
import { contextOf } from "@tallylight/protocol/round/context.js"
import { makeCommitment } from "@tallylight/protocol/round/commitment.js"
import { makeAbsence, makeStatement } from "@tallylight/protocol/round/statement.js"
import { flip } from "@tallylight/protocol/sample/mutant.js"
import type { SampleParty } from "@tallylight/protocol/sample/sample-keys.js"
import { SampleNode } from "@tallylight/protocol/sample/sample-node.js"
import { Arena } from "./arena.ts"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"

/** Rounds, and a node that signs them. */
class SignedArena {
    readonly arena: Arena
    readonly node = new SampleNode(toHex(systemRandom(16)))
    #time = Date.now()

    static async open(): Promise<SignedArena> {
        const signed = new SignedArena(await Arena.open())
        try {
            await signed.register(0)
            return signed
        } catch (error) {
            await signed.close()
            throw error
        }
    }

    private constructor(arena: Arena) {
        this.arena = arena
    }

    async register(sequence: number): Promise<string> {
        const registration = this.node.registration(this.arena.chain, sequence)
        return this.arena.outcome("ReqRegister", { role: "entropy-node", ...registration })
    }

    /** To the next beacon that it has not committed to. */
    async commit(count: number): Promise<void> {
        const { nodes, beacons } = this.arena.state
        const next = nodes.get(nameOf(this.node.signer.publicKey))?.nextCommitment ?? 0
        const first = Math.max(next, beacons + 1)
        const commitment = this.node.commitment(this.arena.chain, first, count)
        assert.equal(await this.arena.outcome("ReqCommitment", commitment), "accepted")
        await this.#shown("the commitment", ({ nextCommitment }) => nextCommitment >= first + count)
    }

    #shown(what: string, holds: (node: EntropyNode) => boolean): Promise<boolean> {
        return this.arena.ledger.until(what, () => {
            const node = this.arena.state.nodes.get(nameOf(this.node.signer.publicKey))
            return node !== undefined && holds(node)
        })
    }

    async beacon(): Promise<SignableBeacon> {
        await this.arena.openRound()
        assert.equal((await this.arena.finish()).kind, "beacon")
        const beacon = this.arena.state.signable.at(-1)
        assert.ok(beacon !== undefined)
        return beacon
    }

    async sign(beacon: SignableBeacon, lie: Partial<PulseMessage> = {}): Promise<string> {
        this.#time += 1
        const pulse = this.node.pulse(this.arena.state, beacon, this.#time, lie)
        const outcome = await this.arena.outcome("ReqPulse", pulse)
        if (outcome === "accepted") await this.#shown("the pulse", ({ signed }) => signed === beacon.ordinal)
        return outcome
    }

    /** A beacon to whose value the node had committed, and its pulse. */
    async signed(): Promise<void> {
        await this.commit(1)
        assert.equal(await this.sign(await this.beacon()), "accepted")
    }

    close(): Promise<void> {
        return this.arena.close()
    }
}

/** A lie in a pulse about a beacon to whose value the node had committed; the truth is taken afterwards. */
function lying(
    name: string,
    stoppedBy: string,
    lie: (arena: SignedArena) => Partial<PulseMessage>,
): Attack<SignedArena> {
    return {
        name,
        stoppedBy,
        honest: (arena) => arena.signed(),
        attack: async (arena) => {
            await arena.commit(2)
            const beacon = await arena.beacon()
            const outcome = await arena.sign(beacon, lie(arena))
            assert.equal(await arena.sign(beacon), "accepted")
            return outcome
        },
    }
}

const stranger = seedSigner(systemRandom(32))

function isIn({ current }: ChainState, { signer }: SampleParty): boolean {
    return current?.answered.has(nameOf(signer.publicKey)) === true
}

/** What a party contributes with that statement, which it signed; an honest round ends it. */
async function stated(
    { arena, node }: SignedArena,
    statement: (honest: Uint8Array, other: Uint8Array) => Uint8Array,
): Promise<string> {
    const current = await arena.openRound()
    const party = arena.party(0)
    const context = contextOf(arena.chain, current)
    const chip = { name: "chip", kind: "atecc608a", simulated: true, state: "healthy" } as const
    const sources = [{ ...chip, lock: "locked", bytes: 1, failures: 0 } as const]
    const of = (identity: Uint8Array) =>
        makeStatement(context, identity, node.signer, { time: 1, reseeds: 1, sources })
    const told = statement(of(party.signer.publicKey), of(stranger.publicKey))
    const fields = { ...arena.contribution(party, current), statement: told }
    const contribution = signContribution(arena.chain, current, party.signer, fields)
    const outcome = await arena.outcome("ReqContribution", { ...contribution, ticket: current.ticket })
    if (outcome === "accepted")
        await arena.ledger.until("it", () => current.round < arena.state.rounds || isIn(arena.state, party))
    assert.equal((await arena.finish()).kind, "beacon")
    return outcome
}

function saying(
    name: string,
    stoppedBy: string,
    statement: (honest: Uint8Array, other: Uint8Array) => Uint8Array,
): Attack<SignedArena> {
    return {
        name,
        stoppedBy,
        honest: async (arena) => {
            assert.equal(await stated(arena, (honest) => honest), "accepted")
            assert.equal(await stated(arena, () => makeAbsence("no answer")), "accepted")
        },
        attack: (arena) => stated(arena, statement),
    }
}

export const pulses = group("entropy nodes", "pulses.ts", () => SignedArena.open(), [
    {
        name: "a value committed to after its beacon is out",
        stoppedBy: "wrong-commitment",
        honest: (arena) => arena.signed(),
        attack: async (arena) => {
            const { ordinal } = await arena.beacon()
            return arena.arena.outcome("ReqCommitment", arena.node.commitment(arena.arena.chain, ordinal, 1))
        },
    },
    {
        name: "a second value for a beacon to come",
        stoppedBy: "wrong-commitment",
        honest: (arena) => arena.signed(),
        attack: async ({ arena, node }) => {
            // The pulse before committed to one.
            const second = [sha512(systemRandom(64))]
            const first = arena.state.beacons + 1
            return arena.outcome("ReqCommitment", makeCommitment(arena.chain, node.signer, first, second))
        },
    },
    {
        name: "commitments of somebody who has no pulse key",
        stoppedBy: "not-registered",
        honest: (arena) => arena.signed(),
        attack: ({ arena }) =>
            arena.outcome(
                "ReqCommitment",
                makeCommitment(arena.chain, stranger, arena.state.beacons + 9, [new Uint8Array(64)]),
            ),
    },
    {
        name: "an entropy node registered with another's pulse key",
        stoppedBy: "key-taken",
        honest: (arena) => arena.signed(),
        attack: ({ arena }) => {
            const twin = new SampleNode(toHex(systemRandom(16)))
            return arena.outcome("ReqRegister", {
                role: "entropy-node",
                ...twin.registration(arena.chain, 0),
            })
        },
    },
    lying("a value other than the one promised by the pulse before", "bad-links", () => ({
        localRandomValue: systemRandom(64),
    })),
    lying("a value other than the one committed to, said to be lost", "bad-opening", () => ({
        localRandomValue: systemRandom(64),
        statusCode: 1,
    })),
    lying("a promise other than the one committed to", "bad-opening", () => ({
        precommitmentValue: systemRandom(64),
    })),
    lying("a pulse about another output", "bad-pulse", ({ arena }) => ({
        external: { sourceId: new Uint8Array(64), statusCode: 0, value: sha512(arena.chain) },
    })),
    lying("a pulse that is not linked to the one before", "bad-links", () => ({ links: noLinks })),
    {
        name: "a pulse with a bit of its signature changed",
        stoppedBy: "bad-signature",
        honest: (arena) => arena.signed(),
        attack: async (arena) => {
            const beacon = await arena.beacon()
            const pulse = arena.node.pulse(arena.arena.state, beacon, Date.now())
            return arena.arena.outcome("ReqPulse", { ...pulse, proof: flip(pulse.proof, 511) })
        },
    },
    saying("a statement that its node made for another party", "bad-signature", (_, other) => other),
    saying("a statement with a bit changed", "bad-signature", (honest) => flip(honest, 40)),
    saying("a statement of no form", "bad-statement", () => Uint8Array.of(7)),
])

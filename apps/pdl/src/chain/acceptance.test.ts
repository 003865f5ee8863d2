import { encodePoint } from "@tallylight/crypto/ristretto255.js"
import { commitPolynomial, evaluatePolynomial } from "@tallylight/crypto/threshold.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { joinCommittee, makeRequesterRegistration } from "@tallylight/protocol/chain/requester.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { claimsOf } from "@tallylight/protocol/ledger/verify.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import { Network } from "../../../../test/simulation/network.ts"

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)

/** What an anonymous client can send that takes long: a committee of its own making. */
function committee(chain: Uint8Array, seed: number, size: number): EntryOf<"requester-registration"> {
    const signer = seedSigner(bytes(seed))
    const coefficients = Array.from({ length: Math.floor(size / 2) + 1 }, (_, at) =>
        BigInt(seed * 1000 + at + 1),
    )
    const signers = Array.from({ length: size }, (_, at) => seedSigner(bytes(seed + at + 1)))
    const commitments = commitPolynomial(coefficients).map(encodePoint)
    const identities = signers.map(({ publicKey }) => publicKey)
    const plan = { identity: signer.publicKey, dealt: true, commitments, identities }
    const members = signers.map((signer, at) => {
        const index = at + 1
        const secret = evaluatePolynomial(coefficients, index)
        return joinCommittee(chain, plan, { index, signer, secret, random: bytes(seed) })
    })
    const made = makeRequesterRegistration(chain, plan, 0, signer, members)
    return { ...made, kind: "requester-registration", time: 0 }
}

function party(chain: Uint8Array, seed: number): SentEntry {
    const signer = seedSigner(bytes(seed))
    const made = makePartyRegistration(chain, { signer, vrfSeed: signer.publicKey }, 0)
    return { ...made, kind: "party-registration", time: 0 }
}

async function serving(): Promise<Network> {
    const network = await Network.create({ seed: "acceptance", parties: 0 })
    await network.startServer()
    return network
}

async function accept(network: Network, entry: SentEntry, sender: object): Promise<string> {
    try {
        await network.server.chain.acceptance.accept((time) => ({ ...entry, time }), sender)
        return "accepted"
    } catch (error) {
        if (error instanceof Refusal) return error.code
        throw error
    }
}

test("a registration makes a claim of its own for each member, so that others have their turns in between", async () => {
    const network = await serving()
    const claims = claimsOf(network.state, committee(network.chain, 1, 9))
    expect(claims.filter(({ claim }) => claim === "possession")).toHaveLength(9)
})

test("others do not wait for the committees that strangers register", async () => {
    const network = await serving()
    const committees = [10, 30].map((seed) => accept(network, committee(network.chain, seed, 9), {}))
    const first = accept(network, party(network.chain, 200), {})
    expect(await Promise.all([...committees, first])).toEqual(["accepted", "accepted", "accepted"])
    expect((await network.entries()).map(({ kind }) => kind)).toEqual([
        "genesis",
        "party-registration",
        "requester-registration",
        "requester-registration",
    ])
})

test("one connection has one committee verified at a time, and any number of parties", async () => {
    const network = await serving()
    const sender = {}
    const entries = [
        ...[10, 30].map((seed) => committee(network.chain, seed, 3)),
        ...[200, 201].map((seed) => party(network.chain, seed)),
    ]
    const outcomes = entries.map((entry) => accept(network, entry, sender))
    expect(await Promise.all(outcomes)).toEqual(["accepted", "busy", "accepted", "accepted"])
    expect(await accept(network, committee(network.chain, 30, 3), sender)).toBe("accepted")
})

test("twins that wait for the same commit get the same receipt", async () => {
    const network = await serving()
    const twins = [1, 2].map(() =>
        network.server.chain.acceptance.accept((time) => ({ ...party(network.chain, 200), time }), {}),
    )
    const [first, second] = await Promise.all(twins)
    expect(second).toEqual(first)
})

/** What strangers can add to the ledger and to its queue, over real sockets. */
import { scalarFromUniform } from "@tallylight/crypto/scalar.js"
import { makeSoloRegistration } from "@tallylight/protocol/chain/requester.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { makeRequest } from "@tallylight/protocol/round/request.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { afterEach, expect, test } from "vitest"
import { anonymousHello, dial, outcome } from "./dial.ts"
import { serveSample } from "./serving.ts"
import type { Serving } from "./serving.ts"

const [here, there] = ["192.0.2.1", "192.0.2.2"]
const once = { burst: 1, perMinute: 0.001 }
const twice = { burst: 2, perMinute: 0.001 }
const started: Serving[] = []

/** Two parties and a requester are registered; nobody runs rounds, so the queue only grows. */
async function serving(limits: NonNullable<Parameters<typeof serveSample>[1]>["limits"]) {
    const sample = new SampleLedger("intake")
    const [one, two] = sample.keys.parties
    for (const party of [one!, two!]) {
        sample.admit(party.signer.publicKey, true)
        sample.registerParty(party)
    }
    sample.registerRequester(sample.keys.solo)
    const server = await serveSample(sample, { trustedProxies: ["127.0.0.1"], limits })
    started.push(server)
    return { sample, server }
}

afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.close()))
})

async function greet(server: Serving, address: string): Promise<Peer> {
    const peer = await dial(server, address)
    await peer.request("ReqHello", anonymousHello)
    return peer
}

class Stranger {
    readonly signer
    readonly secret
    readonly #chain: Uint8Array

    constructor({ chain }: Serving, number: number) {
        this.#chain = chain.state.chain
        this.signer = seedSigner(new Uint8Array(32).fill(number))
        this.secret = scalarFromUniform(new Uint8Array(64).fill(number))
    }

    registration(sequence = 0) {
        const made = makeSoloRegistration(this.#chain, this, sequence, new Uint8Array(32).fill(9))
        return { role: "requester", ...made } as const
    }

    register(peer: Peer, sequence = 0): Promise<string> {
        return outcome(peer.request("ReqRegister", this.registration(sequence)))
    }

    ask(peer: Peer, sequence: number): Promise<string> {
        const Y = encodePoint(ristretto255.multiplyBase(this.secret))
        const fields = { Y, nonce: new Uint8Array(32), sequence, notBefore: 0 }
        return outcome(peer.request("ReqGenTick", makeRequest(this.#chain, this.signer, fields)))
    }
}

test("one address adds so many registrations, whatever keys it makes; another one has its own", async () => {
    const { server } = await serving({ registrationsPerAddress: twice })
    const strangers = [1, 2, 3, 4].map((number) => new Stranger(server, number))
    const [a, b, c, d] = strangers as [Stranger, Stranger, Stranger, Stranger]
    const peer = await greet(server, here)
    expect(await a.register(peer)).toBe("accepted")
    expect(await b.register(peer)).toBe("accepted")
    expect(await c.register(peer)).toBe("rate-limited registrationsPerAddress")
    // A new connection is no new address, and what is logged keeps its receipt.
    const again = await greet(server, here)
    expect(await d.register(again)).toBe("rate-limited registrationsPerAddress")
    expect(await a.register(again)).toBe("accepted")
    expect(await c.register(await greet(server, there))).toBe("accepted")
    expect(server.hits).toEqual(["registrationsPerAddress", "registrationsPerAddress"])
})

test("however many addresses there are, newcomers are so many, and those who are known may renew", async () => {
    const { server, sample } = await serving({ registrations: once, registrationsPerAddress: twice })
    const known = sample.keys.solo.members[0]!
    const [a, b] = [new Stranger(server, 1), new Stranger(server, 2)]
    expect(await a.register(await greet(server, here))).toBe("accepted")
    const peer = await greet(server, there)
    expect(await b.register(peer)).toBe("rate-limited registrations")
    const renewal = makeSoloRegistration(sample.state.chain, known, 1, new Uint8Array(32))
    expect(await outcome(peer.request("ReqRegister", { role: "requester", ...renewal }))).toBe("accepted")
    const revocation = makeRevocation(sample.state.chain, known.signer, 2)
    expect(await outcome(peer.request("ReqRevoke", revocation))).toBe("accepted")
})

test("one identity renews so often, and nobody else uses that up in its name", async () => {
    const { server } = await serving({ renewalsPerIdentity: once })
    const a = new Stranger(server, 1)
    const peer = await greet(server, here)
    expect(await a.register(peer)).toBe("accepted")
    for (const sequence of [1, 2, 3]) {
        const forged = { ...a.registration(sequence), signature: new Uint8Array(64) }
        expect(await outcome(peer.request("ReqRegister", forged))).toBe("bad-signature")
    }
    expect(await a.register(peer, 1)).toBe("accepted")
    expect(await a.register(peer, 2)).toBe("rate-limited renewalsPerIdentity")
})

test("whoever stole a key and renews with it as often as it may does not keep the owner from revoking it", async () => {
    const { server } = await serving({ renewalsPerIdentity: once })
    const a = new Stranger(server, 1)
    const thief = await greet(server, there)
    for (const sequence of [0, 1]) expect(await a.register(thief, sequence)).toBe("accepted")
    expect(await a.register(thief, 2)).toBe("rate-limited renewalsPerIdentity")
    const owner = await greet(server, here)
    const revocation = makeRevocation(server.chain.state.chain, a.signer, 1)
    expect(await outcome(owner.request("ReqRevoke", revocation))).toBe("accepted")
})

test("requests of one address fill its share of the queue, and leave the rest to others", async () => {
    const { server } = await serving({ queuedPerAddress: 2 })
    const strangers = [1, 2].map((number) => new Stranger(server, number)) as [Stranger, Stranger]
    const [a, b] = strangers
    const peer = await greet(server, here)
    for (const stranger of strangers) expect(await stranger.register(peer)).toBe("accepted")
    const asked = await Promise.all([a.ask(peer, 1), b.ask(peer, 1), b.ask(peer, 2)])
    expect(asked).toEqual(["accepted", "accepted", "rate-limited queuedPerAddress"])
    expect(await b.ask(await greet(server, there), 2)).toBe("accepted")
    expect(server.chain.state.queue).toHaveLength(3)
    expect(server.hits).toEqual(["queuedPerAddress"])
})

/**
 * One way to provoke each refusal code, through public functions only. Every case first shows that the honest twin
 * passes, then returns the code with which the cheat is turned down.
 */
import { Intake } from "@tallylight/pdl/limits/intake.js"
import { ProofPool } from "@tallylight/pdl/proofs/pool.js"
import { rankOf } from "@tallylight/pdl/proofs/rank.js"
import { makeAdmission } from "@tallylight/protocol/chain/admission.js"
import { signHello } from "@tallylight/protocol/chain/hello.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import type { Parameters } from "@tallylight/protocol/ledger/entry.js"
import { claimsOf } from "@tallylight/protocol/ledger/verify.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import type { Verifier } from "@tallylight/protocol/ports/verifier.js"
import { honest } from "@tallylight/protocol/sample/mutant.js"
import type { Served } from "@tallylight/protocol/sample/mutant.js"
import { mutants } from "@tallylight/protocol/sample/mutants.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import { decodeFrame, encodeFrame } from "@tallylight/protocol/wire/frame.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { PeerOptions } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { expect } from "vitest"
import { Network } from "../simulation/network.ts"
import { samples } from "../samples/messages.ts"

type Provoke = () => Promise<string>

let made: SampleLedger | undefined
const sample = (): SampleLedger => (made ??= sampleLedger())

async function* each(entries: readonly Uint8Array[]) {
    yield* entries
    await Promise.resolve()
}

/** The first code that breaks a ledger under audit; "holds" where none does. */
async function audited({ entries, checkpoint, pinned }: Served, chain?: Uint8Array): Promise<string> {
    const optional = { ...(pinned && { pinned }), ...(chain && { chain }) }
    const report = await audit({ entries: each(entries), checkpoint, ...optional })
    const [broken] = report.verdicts.filter(({ verdict }) => verdict === "broken")
    expect(report.holds).toBe(broken === undefined)
    return broken?.first?.code ?? "holds"
}

let honestHolds: Promise<string> | undefined

/** The first mutant of the sample that the auditor must refuse with that code. */
function mutant(code: RefusalCode): Provoke {
    return async () => {
        expect(await (honestHolds ??= audited(honest(sample())))).toBe("holds")
        const first = mutants.find((mutant) => mutant.code === code)
        if (first === undefined) throw new Error(`no mutant is refused with ${code}`)
        return audited(first.mutate(sample()))
    }
}

async function refusedBy(action: () => unknown): Promise<string> {
    try {
        await action()
        return "accepted"
    } catch (error) {
        if (error instanceof Refusal || error instanceof PeerRefused) return error.code
        throw error
    }
}

const chain = new Uint8Array(32).fill(7)
const limits: PeerOptions["limits"] = {
    ...{ frameBytes: 4096, concurrentRequests: 1, failures: { burst: 2, perMinute: 1 } },
}

/** What a peer that answers ReqTicket, after `answer`, sends back to those frames. */
async function wire(
    frames: readonly (Uint8Array | object)[],
    answer: Promise<unknown> = Promise.resolve(),
    side: PeerOptions["side"] = "listener",
): Promise<string[]> {
    const [near, far] = channelPair()
    const answers: Frame[] = []
    void (async () => {
        for await (const bytes of near.frames) answers.push(decodeFrame(bytes, 1 << 20))
    })()
    const [ticket] = samples.RespTicket
    openPeer({
        ...{
            channel: far,
            side,
            chain,
            limits,
            clock: new ManualClock(),
            requestTimeoutMs: 1000,
        },
        handlers: { ReqTicket: () => answer.then(() => ticket) },
        onFault: (error) => {
            throw error
        },
    })
    for (const frame of frames)
        await near.send(frame instanceof Uint8Array ? frame : encodeFrame({ chain, ...frame } as Frame))
    await settle()
    return answers.map((frame) => (frame.type === "RespError" ? frame.body.code : frame.type))
}

const ask = (id: number): object => ({ type: "ReqTicket", id, body: {} })

/** The honest question is answered; `frames` are not. */
function wired(frames: readonly (Uint8Array | object)[], answer?: Promise<unknown>): Provoke {
    return async () => {
        expect(await wire([ask(1)])).toEqual(["RespTicket"])
        return (await wire(frames, answer)).at(-1) ?? "silence"
    }
}

async function serving(): Promise<Network> {
    const network = await Network.create({ seed: "refusals", parties: 1 })
    await network.startServer()
    return network
}

const anonymous = { identity: null, answering: null, signature: null }
const hello = { versions: [1], role: "observer", nonce: new Uint8Array(32), ...anonymous } as const

/** A connection on which several questions follow each other. */
function talk(network: Network) {
    const dialled = network.dial("somebody")
    if (dialled === undefined) throw new Error("the server is down")
    return openPeer({
        ...{ channel: dialled[0], side: "dialler", chain: network.chain, handlers: {} },
        ...{ limits: { ...limits, frameBytes: 1 << 20 }, clock: network.clock, requestTimeoutMs: 1000 },
        onNotice: () => Promise.resolve(),
        onFault: (error) => {
            throw error
        },
    })
}

export const cases: Readonly<Record<RefusalCode, Provoke>> = {
    malformed: wired([Uint8Array.of(0xc1)]),
    oversized: wired([new Uint8Array(limits.frameBytes + 1)]),
    "unknown-message": wired([{ type: "ReqPubKey", id: 1, body: {} }]),
    "unsupported-version": async () => {
        const network = await serving()
        expect((await network.ask("ReqHello", hello)).version).toBe(1)
        return refusedBy(() => network.ask("ReqHello", { ...hello, versions: [2, 3] }))
    },
    "wrong-chain": async () => {
        expect(await wire([ask(1)])).toEqual(["RespTicket"])
        const other = new Uint8Array(32)
        expect(await wire([{ ...ask(1), chain: other }])).toEqual(["wrong-chain"])
        const served = honest(sample())
        expect(await audited(served, sample().state.chain)).toBe("holds")
        return audited(served, other)
    },
    unauthenticated: async () => {
        const network = await serving()
        const peer = talk(network)
        const { messageKey } = network.genesis
        const answer = (serverNonce: Uint8Array, signer = network.requester.signer) => ({
            ...{ ...hello, identity: signer.publicKey, answering: serverNonce },
            signature: signHello(signer, {
                ...{
                    chain: network.chain,
                    role: hello.role,
                    clientNonce: hello.nonce,
                    serverNonce,
                    messageKey,
                },
            }),
        })
        const { nonce } = await peer.request("ReqHello", hello)
        const again = await peer.request("ReqHello", answer(nonce))
        const { nonce: last } = await peer.request("ReqHello", answer(again.nonce))
        const other = seedSigner(new Uint8Array(32).fill(9))
        expect(await refusedBy(() => peer.request("ReqHello", answer(last, other)))).toBe("unauthenticated")
        const elsewhere = talk(network)
        const first = await elsewhere.request("ReqHello", hello)
        expect((await elsewhere.request("ReqHello", answer(first.nonce, other))).version).toBe(1)
        // The nonce has been answered once, so whoever overheard it gains nothing.
        return refusedBy(() => peer.request("ReqHello", answer(nonce)))
    },
    "no-such-entry": async () => {
        const network = await serving()
        expect((await network.ask("ReqEntries", { from: 0, limit: 1 })).entries).toHaveLength(1)
        expect((await network.ask("ReqProof", { index: 0, size: 1 })).proof).toEqual([])
        expect((await network.ask("ReqConsistency", { from: 1, to: 1 })).proof).toEqual([])
        const subscription = { kinds: null, index: 1, round: null }
        expect(await network.ask("ReqSubscribe", subscription)).toEqual({ from: 1, size: 1 })
        const refusals = [
            await refusedBy(() => network.ask("ReqEntries", { from: 1, limit: 1 })),
            await refusedBy(() => network.ask("ReqProof", { index: 1, size: 1 })),
            await refusedBy(() => network.ask("ReqProof", { index: 0, size: 2 })),
            await refusedBy(() => network.ask("ReqConsistency", { from: 0, to: 1 })),
            await refusedBy(() => network.ask("ReqConsistency", { from: 1, to: 2 })),
            await refusedBy(() => network.ask("ReqSubscribe", { ...subscription, index: 2 })),
            await refusedBy(() => network.ask("ReqSubscribe", { ...subscription, index: null, round: 7 })),
        ]
        expect(new Set(refusals).size).toBe(1)
        return refusals.at(-1) ?? ""
    },
    "already-subscribed": async () => {
        const network = await serving()
        const peer = talk(network)
        const subscription = { kinds: null, index: 0, round: null }
        expect(await peer.request("ReqSubscribe", subscription)).toEqual({ from: 0, size: 1 })
        return refusedBy(() => peer.request("ReqSubscribe", subscription))
    },
    "over-budget": wired([1, 3, 5].map((id) => ({ type: "ReqPubKey", id, body: {} }))),
    busy: async () => {
        expect(await wire([ask(2)], undefined, "dialler")).toEqual(["RespTicket"])
        const answers = await wire([ask(2), ask(4)], new Promise(() => undefined), "dialler")
        return answers.at(-1) ?? "silence"
    },
    "rate-limited": async () => {
        const network = await serving()
        const state = network.state
        const clock = new ManualClock()
        const one = { burst: 1, perMinute: 1 }
        const budgets = { registrations: one, registrationsPerAddress: one, renewalsPerIdentity: one }
        const intake = new Intake({ ...budgets, queuedPerAddress: 1 }, clock, () => undefined)
        const entry = sample().entries.find(({ kind }) => kind === "party-registration")!
        const knock = () => refusedBy(() => intake.knock(entry, state, "192.0.2.1"))
        expect(await knock()).toBe("accepted")
        return knock()
    },
    unverified: async () => {
        const [state, entry] = [sample().states[0], sample().entries[1]]
        if (state === undefined || entry?.kind !== "admission") throw new Error("the sample begins otherwise")
        const verify = (verifier: Verifier) => {
            const lane = new ProofPool([verifier]).open()
            return refusedBy(() => lane.verify(rankOf(entry), {}, () => claimsOf(state, entry)))
        }
        expect(await verify(ownThread(() => Promise.resolve()))).toBe("accepted")
        return verify({ verify: () => Promise.reject(new Error("out of memory")) })
    },
    "shutting-down": async () => {
        const network = await serving()
        const { acceptance } = network.server.chain
        const register = (at: number) => {
            const signer = seedSigner(new Uint8Array(32).fill(at))
            const made = makePartyRegistration(network.chain, { signer, vrfSeed: signer.publicKey }, 0)
            return refusedBy(() =>
                acceptance.accept((time) => ({ ...made, kind: "party-registration", time }), signer),
            )
        }
        expect(await register(1)).toBe("accepted")
        network.fault = { kind: "party-registration", outcome: "lose" }
        expect(await register(2)).toBe("shutting-down")
        expect(network.crashes).toBe(1)
        return register(3)
    },

    "bad-key": mutant("bad-key"),
    "bad-signature": mutant("bad-signature"),
    "bad-possession": mutant("bad-possession"),
    "bad-committee": mutant("bad-committee"),
    "key-taken": mutant("key-taken"),
    "stale-sequence": mutant("stale-sequence"),
    "not-admitted": mutant("not-admitted"),
    "not-registered": mutant("not-registered"),
    revoked: mutant("revoked"),
    "not-operator": async () => {
        const { state, operator } = sample()
        const genesis = state.genesis
        const parameters: Parameters = {
            ...genesis.parameters,
            admission: "open",
            operatorKey: new Uint8Array(32),
        }
        const [listed, open] = [begin(genesis), begin({ ...genesis, parameters })]
        const fields = { identity: operator.publicKey, admitted: true, sequence: 1 }
        const admission = { ...makeAdmission(state.chain, operator, fields), kind: "admission" } as const
        expect(apply(listed, { ...admission, time: genesis.time }).admitted.size).toBe(1)
        return refusedBy(() => apply(open, { ...admission, time: genesis.time }))
    },

    "wrong-encryption-key": mutant("wrong-encryption-key"),
    "queue-full": mutant("queue-full"),
    "roster-too-small": mutant("roster-too-small"),
    "too-far-ahead": mutant("too-far-ahead"),
    "round-open": mutant("round-open"),
    "out-of-turn": mutant("out-of-turn"),
    "wrong-round": mutant("wrong-round"),
    "wrong-seed": mutant("wrong-seed"),
    "bad-vrf": mutant("bad-vrf"),
    "wrong-ticket": mutant("wrong-ticket"),
    "wrong-election": mutant("wrong-election"),
    "wrong-deadline": mutant("wrong-deadline"),

    "no-round": mutant("no-round"),
    "round-closed": mutant("round-closed"),
    "not-on-roster": mutant("not-on-roster"),
    "already-contributed": mutant("already-contributed"),
    "bad-eligibility": mutant("bad-eligibility"),
    "not-eligible": mutant("not-eligible"),
    eligible: mutant("eligible"),
    "abstention-not-asked": async () => {
        const { entries, states } = sample()
        const at = entries.findIndex(({ kind }) => kind === "abstention")
        const before = states[at - 1]!
        const entry = entries[at]!
        expect(apply(before, entry).range.size).toBe(at + 1)
        const parameters = { ...before.genesis.parameters, everyoneAnswers: false }
        return refusedBy(() => apply({ ...before, genesis: { ...before.genesis, parameters } }, entry))
    },
    "bad-point": mutant("bad-point"),
    "bad-knowledge": mutant("bad-knowledge"),

    "bad-statement": mutant("bad-statement"),

    "wrong-commitment": mutant("wrong-commitment"),
    "no-beacon": mutant("no-beacon"),
    "already-signed": mutant("already-signed"),
    "bad-pulse": mutant("bad-pulse"),
    "bad-links": mutant("bad-links"),
    "bad-opening": mutant("bad-opening"),

    "too-early": mutant("too-early"),
    "wrong-tally": mutant("wrong-tally"),
    "wrong-range": mutant("wrong-range"),
    "no-tally": mutant("no-tally"),
    "not-a-member": mutant("not-a-member"),
    "already-answered": mutant("already-answered"),
    "wrong-shares": mutant("wrong-shares"),
    "bad-share": mutant("bad-share"),
    "wrong-point": mutant("wrong-point"),
    "wrong-output": mutant("wrong-output"),
    "wrong-reason": mutant("wrong-reason"),
    "no-extension": mutant("no-extension"),

    "bad-genesis": mutant("bad-genesis"),
    "malformed-entry": mutant("malformed-entry"),
    "time-backwards": mutant("time-backwards"),
    "empty-ledger": mutant("empty-ledger"),
    "missing-entries": mutant("missing-entries"),
    "bad-checkpoint": mutant("bad-checkpoint"),
    "wrong-root": mutant("wrong-root"),
    forked: mutant("forked"),
}

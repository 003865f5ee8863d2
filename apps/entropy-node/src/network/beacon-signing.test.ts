import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { leafHash } from "@tallylight/crypto/merkle.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { begin } from "@tallylight/protocol/ledger/apply.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { makeReceipt } from "@tallylight/protocol/ledger/receipt.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { beaconPulseOf } from "@tallylight/protocol/round/beacon-pulse.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import { decodeFrame, encodeFrame } from "@tallylight/protocol/wire/frame.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused, respError } from "@tallylight/protocol/wire/resp-error.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { createPulses, openPulses } from "../pulses/pulses.ts"
import type { Pulses, PulsesOptions } from "../pulses/pulses.ts"
import { pulseSettings } from "../pulses/settings.ts"
import type { PulseSettings } from "../pulses/settings.ts"
import { TwinSigner, TwinValues } from "../pulses/twin-parts.ts"
import { BeaconSigning } from "./beacon-signing.ts"
import type { SigningNode } from "./beacon-signing.ts"

const frameBytes = 1024 * 1024
const settings = pulseSettings.parse({ periodic: { enabled: false } })
const identity = seedSigner(new Uint8Array(32).fill(7))
const name = nameOf(identity.publicKey)
const responses = {
    ReqRegister: "RespRegister",
    ReqCommitment: "RespCommitment",
    ReqPulse: "RespPulse",
} as const
type Asked = Extract<Frame, { type: keyof typeof responses }>

/** What becomes of a request that is not just logged and answered. */
type Fate =
    | "lost on the way"
    | "logged, its answer lost"
    /** Nor is the entry published, before the server is told to. */
    | "logged without an answer"
    | Pick<Message<"RespError">, "code" | "action">

/** A ledger server with one connection, on a ledger of the sample's actors: it applies and verifies what it is sent. */
class LedgerServer {
    readonly ledger = new SampleLedger("the beacons of an entropy node")
    /** The type of each request, whatever became of it. */
    readonly asked: string[] = []
    readonly logged: string[] = []
    /** Of the next requests of that type, in order; what comes after them is logged and answered. */
    readonly fates: Partial<Record<Asked["type"], Fate[]>> = {}
    onSteps: (steps: readonly Step[]) => void = () => undefined
    #published: number
    #cut = (): void => undefined

    constructor() {
        const { ledger } = this
        const { parties, solo } = ledger.keys
        // No more than a round expects: every lottery elects them all.
        for (const { signer } of parties.slice(0, 2)) ledger.admit(signer.publicKey, true)
        for (const party of parties.slice(0, 2)) ledger.registerParty(party)
        ledger.registerRequester(solo)
        this.#published = ledger.entries.length
    }

    get state(): ChainState {
        return this.ledger.state
    }

    connect(cut: () => void, channel: Channel): void {
        this.#cut = cut
        this.#published = this.ledger.entries.length
        void this.#serve(channel)
    }

    /** The beacon of one more round. */
    round(): void {
        const { ledger } = this
        const { parties, solo } = ledger.keys
        ledger.request(solo)
        ledger.answerAll(parties.slice(0, 2))
        ledger.due()
        ledger.openAlone(solo.members[0])
        this.publish()
    }

    publish(): void {
        const { entries, states } = this.ledger
        const steps = entries.slice(this.#published).map((entry, at) => {
            const index = this.#published + at
            const leaf = leafHash(encodeEntry(entry))
            return { index, leaf, entry, before: states[index - 1], after: states[index]! }
        })
        this.#published = entries.length
        if (steps.length > 0) this.onSteps(steps)
    }

    async #serve(channel: Channel): Promise<void> {
        for await (const bytes of channel.frames) {
            const frame = decodeFrame(bytes, frameBytes)
            if (!isAsked(frame)) throw new Error(`the ledger server was sent ${frame.type}`)
            this.asked.push(frame.type)
            const answer = this.#answer(frame, this.fates[frame.type]?.shift())
            if (answer === undefined) continue
            await channel.send(encodeFrame(answer))
            this.publish()
        }
    }

    #answer(frame: Asked, fate: Fate | undefined): Frame | undefined {
        const { id, chain } = frame
        if (fate === "lost on the way") {
            this.#cut()
            return undefined
        }
        if (typeof fate === "object") {
            return { type: "RespError", id, chain, body: { ...fate, facts: {}, detail: "so it was told" } }
        }
        try {
            const before = this.state
            const entry = entryOf(frame, this.ledger.now())
            this.ledger.log(entry)
            this.logged.push(describeEntry(before, entry))
            if (fate === "logged, its answer lost") this.#cut()
            if (fate !== undefined) return undefined
            const messageKey = seedSigner(this.ledger.keys.messageSeed)
            const receipt = makeReceipt(before.chain, messageKey, before.range.size, entry)
            return { type: responses[frame.type], id, chain, body: { receipt } }
        } catch (error) {
            if (!(error instanceof Refusal)) throw error
            return { type: "RespError", id, chain, body: respError(error) }
        }
    }
}

function isAsked(frame: Frame): frame is Asked {
    return frame.type in responses
}

function entryOf({ type, body }: Asked, time: number): SentEntry {
    if (type === "ReqCommitment") return { ...body, kind: "commitment", time }
    if (type === "ReqPulse") return { ...body, kind: "pulse", time }
    if (body.role === "entropy-node") return { ...body, kind: "node-registration", time }
    throw new Error(`an entropy node registered as a ${body.role}`)
}

function describeEntry(before: ChainState, entry: SentEntry): string {
    if (entry.kind === "node-registration")
        return `registration, pulse chain ${entry.pulseChain}${entry.hardware ? ", hardware" : ""}`
    if (entry.kind === "commitment")
        return `commitments ${entry.first} to ${entry.first + entry.values.length - 1}`
    if (entry.kind !== "pulse") return entry.kind
    const { ordinal, isBound, missed } = beaconPulseOf(before, entry)
    return `pulse ${ordinal}${isBound ? "" : ", not bound"}${missed > 0 ? `, ${missed} missed` : ""}`
}

let parent: string
let clock: ManualClock
let key: TwinSigner
let core: TwinValues
let server: LedgerServer
let receipts: ReceiptBook
let opened: Pulses | undefined
let logged: string[]
/** Resolves once what is acted on is durable. */
let remembered: Promise<void>
let told: { refused: string[]; idle: string[]; faults: unknown[]; broken: unknown[] }
/** Calls of the pulses' store that have not come back. */
let storing: number

beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "tallylight-signing-"))
    server = new LedgerServer()
    clock = new ManualClock(server.ledger.time)
    key = await TwinSigner.of("first")
    core = new TwinValues()
    receipts = new ReceiptBook(server.state.chain)
    told = { refused: [], idle: [], faults: [], broken: [] }
    storing = 0
    logged = []
    remembered = Promise.resolve()
    await useStore("pulses")
})
afterEach(async () => {
    await opened?.close()
    opened = undefined
    await rm(parent, { recursive: true })
})

const optionsOf = (folder: string): PulsesOptions => ({
    ...{ folder: join(parent, folder), settings, signer: key, core, clock },
    simulated: core.simulated,
})

/** As by a restart, with the key and the sources that there are now. */
async function reopen(changes: Partial<PulseSettings> = {}): Promise<void> {
    await opened?.close()
    opened = undefined
    opened = await openPulses({ ...optionsOf("pulses"), settings: { ...settings, ...changes } })
}

/** From now on the pulses are in that folder, as a new one is after the other was lost. */
async function useStore(folder: string): Promise<void> {
    await opened?.close()
    opened = undefined
    await createPulses(join(parent, folder))
    opened = await openPulses(optionsOf(folder))
}

async function stored<Result>(call: Promise<Result>): Promise<Result> {
    storing += 1
    try {
        return await call
    } finally {
        storing -= 1
    }
}

/** The pulses, with every call counted for as long as it takes. */
function watched({ follow }: Pulses): SigningNode["pulses"] {
    return {
        follow: async (followed) => {
            const chain = await stored(follow(followed))
            return {
                chain: chain.chain,
                lastMade: () => stored(chain.lastMade()),
                plan: () => stored(chain.plan()),
                isPassed: (ordinal) => stored(chain.isPassed(ordinal)),
                pulseOf: (beacon) => stored(chain.pulseOf(beacon)),
                commitmentsAhead: (first, count) => stored(chain.commitmentsAhead(first, count)),
            }
        },
    }
}

/** Until nothing goes on but by the clock, or by what the ledger shows. */
async function quiet(): Promise<void> {
    for (let calm = 0; calm < 3; calm = storing === 0 ? calm + 1 : 0) await settle()
}

/** A new connection, as after the last one was lost. */
async function connect(state = server.state): Promise<void> {
    const { chain, genesis, range } = state
    const [near, far, { cut }] = channelPair()
    const limits = { frameBytes, concurrentRequests: 4, failures: { burst: 3, perMinute: 6 } }
    const onFault = (error: unknown): unknown => told.faults.push(error)
    const dialler = { channel: near, side: "dialler", handlers: {}, requestTimeoutMs: 30_000 } as const
    const peer = openPeer({ ...dialler, chain, limits, clock, onFault })
    const ended = peer.closed.then((reason) => ({ reason, breach: undefined }))
    const session: Session = { peer, genesis, size: range.size, clockAheadMs: 0, ended }
    const node = { identity, key, pulses: watched(opened!) }
    const signing = new BeaconSigning(node, session, state, clock, receipts, {
        onLogged: (what, { index }, round) => logged.push(`${index}: ${what}, round ${round}`),
        onRefused: (what, { code }) => told.refused.push(`${what}: ${code}`),
        onIdle: (reason) => told.idle.push(reason),
        onBrokenPromise: (broken) => told.broken.push(broken),
        beforeActing: () => remembered,
        onFault,
    })
    server.connect(cut, far)
    server.onSteps = (steps) => signing.take(steps)
    signing.act()
    await quiet()
}

/** An admitted node, its registration and its first commitments logged. */
async function joined(): Promise<void> {
    server.ledger.admit(identity.publicKey, true)
    await connect()
}

async function rounds(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
        server.round()
        await quiet()
    }
}

async function seconds(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
        await clock.advance(1000)
        await quiet()
    }
}

const pulsesIn = (logged: readonly string[]): readonly string[] =>
    logged.filter((what) => what.startsWith("pulse"))

describe("what is owed", () => {
    test("is a registration, commitments, and one bound pulse for each beacon in order", async () => {
        await joined()
        expect(server.logged).toStrictEqual([
            "registration, pulse chain 2",
            ...["commitments 1 to 8", "commitments 9 to 16", "commitments 17 to 24"],
        ])
        await rounds(3)
        expect(server.logged.slice(4)).toStrictEqual([
            "pulse 1",
            "commitments 25 to 32",
            "pulse 2",
            "pulse 3",
        ])
        expect(told).toStrictEqual({ refused: [], idle: [], faults: [], broken: [] })
        expect(server.asked).toHaveLength(server.logged.length)
    })

    test("is paid with entries that carry the time, and told with their receipts", async () => {
        await joined()
        const size = server.state.range.size
        await seconds(2)
        await rounds(1)
        const [, , , , pulse, commitments, ...rest] = logged
        expect(pulse).toMatch(/^[0-9]+: pulse, round 1$/)
        const at = Number(pulse?.split(":")[0])
        expect(at).toBeGreaterThan(size)
        expect(server.ledger.entries[at]?.kind).toBe("pulse")
        expect(server.ledger.states[at]?.nodes.get(name)?.trail?.timeStamp).toBe(clock.now())
        expect(commitments).toBe(`${at + 1}: commitments, round undefined`)
        expect(rest).toStrictEqual([])
    })

    test("is paid only once what it follows from is durable", async () => {
        let durable = (): void => undefined
        remembered = new Promise((resolve) => (durable = resolve))
        await joined()
        await seconds(2)
        expect(server.asked).toStrictEqual([])
        durable()
        await quiet()
        expect(server.logged).toHaveLength(4)
    })

    test("is commitments before all else when few are ahead, and far ones after the pulses", async () => {
        await joined()
        server.onSteps = () => undefined
        for (let i = 0; i < 23; i++) server.round()
        await connect()
        expect(server.logged.slice(4)).toStrictEqual([
            "commitments 25 to 32",
            ...Array.from({ length: 23 }, (_, at) => `pulse ${at + 1}`),
            ...["commitments 33 to 40", "commitments 41 to 48"],
        ])
        expect(told.faults).toStrictEqual([])
    })
})

describe("commitments that came too late", () => {
    test("begin farther ahead each time, until some are logged; and beacons are signed in turns with them", async () => {
        const late = { code: "wrong-commitment", action: "stop" } as const
        server.fates.ReqCommitment = [late, late]
        await joined()
        await seconds(2)
        expect(server.logged.slice(1)).toStrictEqual([
            ...["commitments 3 to 10", "commitments 11 to 18", "commitments 19 to 26"],
        ])
        const { onSteps } = server
        const steps: Step[] = []
        server.onSteps = (more) => steps.push(...more)
        for (let i = 0; i < 27; i++) server.round()
        server.onSteps = onSteps
        onSteps(steps)
        await quiet()
        expect(server.logged.slice(4, 7)).toStrictEqual([
            "pulse 1, not bound",
            "commitments 28 to 35",
            "pulse 2, not bound",
        ])
        expect(told.refused).toStrictEqual(Array(2).fill("commitments: wrong-commitment"))
        expect(told.faults).toStrictEqual([])
    })
})

describe("after a reconnect", () => {
    test.for(["lost on the way", "logged, its answer lost"] as const)(
        "there is no second pulse for a beacon whose pulse was %s",
        async (fate) => {
            await joined()
            await rounds(1)
            server.fates.ReqPulse = [fate]
            const signed = key.asked.length
            await rounds(1)
            await seconds(2)
            expect(server.asked.filter((type) => type === "ReqPulse")).toHaveLength(2)
            await connect()
            await rounds(1)
            expect(pulsesIn(server.logged)).toStrictEqual(["pulse 1", "pulse 2", "pulse 3"])
            expect(key.asked).toHaveLength(signed + 2)
            expect(told).toStrictEqual({ refused: [], idle: [], faults: [], broken: [] })
        },
    )
})

describe("a pulses' store that was lost", () => {
    test("costs the values that were promised, and begins the next pulse chain", async () => {
        await joined()
        await rounds(2)
        const before = server.logged.length
        await useStore("new pulses")
        await connect()
        await rounds(33)
        const [first, ...rest] = server.logged.slice(before)
        expect(first).toBe("registration, pulse chain 3")
        // 32 were promised; the values of 33 and later are the new store's.
        expect(pulsesIn(rest)).toStrictEqual(["pulse 33, 30 missed", "pulse 34", "pulse 35"])
        expect(told.idle).toHaveLength(30)
        expect(told.idle[0]).toMatch(/the value .* of round 3 is lost/)
        expect([told.refused, told.faults]).toStrictEqual([[], []])
    })
})

describe("another key", () => {
    test.for([
        ["is logged", []],
        ["was made and is not logged", ["lost on the way"]],
        ["was logged, and nobody told", ["logged, its answer lost"]],
    ] as const)("costs nothing that was promised, where the last pulse %s", async ([, fates]) => {
        await joined()
        await rounds(2)
        server.fates.ReqPulse = [...fates]
        await rounds(1)
        key = await TwinSigner.of("second")
        await reopen()
        await connect()
        await rounds(3)
        expect(pulsesIn(server.logged)).toStrictEqual([1, 2, 3, 4, 5, 6].map((ordinal) => `pulse ${ordinal}`))
        expect(server.logged.filter((what) => what.startsWith("reg"))).toStrictEqual([
            ...["registration, pulse chain 2", "registration, pulse chain 2"],
        ])
        expect([told.refused, told.idle, told.faults]).toStrictEqual([[], [], []])
    })
})

describe("another certificate of the same key", () => {
    test("comes after a pulse that was begun with the first one", async () => {
        await joined()
        await rounds(2)
        key.fault = "gone"
        await rounds(1)
        key.fault = "none"
        await reopen({ subject: "CN=another name" })
        await connect()
        await rounds(2)
        expect(server.logged.filter((what) => !what.startsWith("commitments"))).toStrictEqual([
            ...["registration, pulse chain 2", "pulse 1", "pulse 2", "pulse 3"],
            ...["registration, pulse chain 2", "pulse 4", "pulse 5"],
        ])
        expect([told.refused, told.faults]).toStrictEqual([[], []])
    })
})

describe("hardware in place of a simulated source", () => {
    test("is registered once nothing of that source is left to be opened", async () => {
        core.simulated = true
        key.simulated = false
        await reopen()
        await joined()
        await rounds(2)
        core.simulated = false
        await reopen()
        await connect()
        // 32 values were drawn before.
        await rounds(31)
        expect(server.logged.filter((what) => !what.startsWith("commitments"))).toStrictEqual([
            "registration, pulse chain 2",
            ...Array.from({ length: 32 }, (_, at) => `pulse ${at + 1}`),
            ...["registration, pulse chain 2, hardware", "pulse 33"],
        ])
        expect([told.refused, told.faults]).toStrictEqual([[], []])
    })
})

describe("a refusal", () => {
    test.for([
        ["no-beacon", "stop"],
        ["already-signed", "stop"],
        ["not-registered", "fix"],
    ] as const)("%s of an honest race is decided anew", async ([code, action]) => {
        await joined()
        server.fates.ReqPulse = [{ code, action }]
        await rounds(1)
        expect([told.refused, pulsesIn(server.logged)]).toStrictEqual([[`pulse: ${code}`], []])
        await seconds(1)
        await rounds(1)
        expect(pulsesIn(server.logged)).toStrictEqual(["pulse 1", "pulse 2"])
        expect(told.refused).toHaveLength(1)
        expect(told.faults).toStrictEqual([])
    })

    test("of what was logged without an answer is no fault", async () => {
        await joined()
        server.fates.ReqPulse = ["logged without an answer"]
        await rounds(1)
        await seconds(32)
        expect(told.refused).toContain("pulse: already-signed")
        server.publish()
        await seconds(1)
        await rounds(1)
        expect(pulsesIn(server.logged)).toStrictEqual(["pulse 1", "pulse 2"])
        expect(told.faults).toStrictEqual([])
    })

    test("of a kind that nobody knows is a fault, and nothing more is sent", async () => {
        await joined()
        server.fates.ReqPulse = Array.from({ length: 9 }, () => ({ code: "anything-at-all", action: "stop" }))
        await rounds(1)
        const sent = server.asked.length
        expect(told.faults).toHaveLength(1)
        expect(told.faults[0]).toBeInstanceOf(PeerRefused)
        expect(told.faults[0]).toMatchObject({ code: "anything-at-all", action: "stop" })
        expect(told.refused).toStrictEqual(["pulse: anything-at-all"])
        await seconds(5)
        expect(server.asked).toHaveLength(sent)
    })

    test("of the pulse begins the next pulse chain", async () => {
        await joined()
        server.fates.ReqPulse = [{ code: "bad-pulse", action: "stop" }]
        await rounds(1)
        await seconds(1)
        expect(server.logged.slice(4)).toStrictEqual(["registration, pulse chain 3", "commitments 25 to 32"])
        expect([told.refused, told.faults]).toStrictEqual([["pulse: bad-pulse"], []])
    })

    test("of the links begins the next pulse chain", async () => {
        await joined()
        const before = server.logged.length
        server.fates.ReqPulse = [{ code: "bad-links", action: "stop" }]
        await rounds(1)
        await seconds(1)
        expect(server.logged.slice(before)).toStrictEqual([
            "registration, pulse chain 3",
            "commitments 25 to 32",
        ])
        await rounds(25)
        expect(pulsesIn(server.logged)).toStrictEqual(["pulse 25, 24 missed", "pulse 26"])
        expect([told.refused, told.faults]).toStrictEqual([["pulse: bad-links"], []])
    })
})

describe("nothing is sent, and why is told once,", () => {
    test("while the key does not sign, and then it goes on", async () => {
        key.fault = "gone"
        await joined()
        await seconds(3)
        expect(server.asked).toStrictEqual([])
        expect(told.idle).toStrictEqual(["the key of the pulses does not sign: the token was taken out"])
        key.fault = "none"
        await seconds(1)
        expect(server.logged[0]).toBe("registration, pulse chain 2")
        expect(told.faults).toStrictEqual([])
    })

    test("on a chain of version 1", async () => {
        const [genesis] = server.ledger.entries
        if (genesis?.kind !== "genesis") throw new Error("the sample begins with no genesis")
        const state = begin({ ...genesis, version: 1 })
        await connect(state)
        server.onSteps([
            { index: 0, leaf: new Uint8Array(32), entry: genesis, before: undefined, after: state },
        ])
        await seconds(3)
        expect(told.idle).toStrictEqual(["this chain is of version 1, which has no entropy nodes"])
        expect(server.asked).toStrictEqual([])
    })

    test("where the node is not admitted, until it is", async () => {
        await connect()
        await rounds(2)
        await seconds(3)
        expect(told.idle).toStrictEqual([
            `this chain admits listed nodes only: give this identity to its operator: ${name}`,
        ])
        expect(server.asked).toStrictEqual([])
        server.ledger.admit(identity.publicKey, true)
        server.publish()
        await quiet()
        expect(server.logged[0]).toBe("registration, pulse chain 2")
    })

    test("once the node was revoked", async () => {
        await joined()
        const sent = server.asked.length
        server.ledger.revoke(identity, 1)
        server.publish()
        await rounds(2)
        await seconds(3)
        expect(told.idle).toStrictEqual(["the registration of this node was revoked"])
        expect(server.asked).toHaveLength(sent)
        expect(told.faults).toStrictEqual([])
    })

    test("while there is no local random value, and then it goes on", async () => {
        core.left = 0
        await joined()
        await seconds(5)
        expect(server.logged).toStrictEqual(["registration, pulse chain 2"])
        expect(told.idle).toStrictEqual([
            expect.stringMatching(/^there is no local random value .*: .*one of two sources is healthy/),
        ])
        core.left = Infinity
        await seconds(1)
        expect(server.logged.slice(1, 3)).toStrictEqual(["commitments 1 to 8", "commitments 9 to 16"])
        expect(told.faults).toStrictEqual([])
    })
})

import { describe, expect, test } from "vitest"

import { samples } from "../../../../test/samples/messages.ts"
import { signalHolders } from "../../../../test/signal-holders.ts"
import type { Channel } from "../ports/channel.ts"
import { channelPair, type LineOptions } from "../ports/channel-pair.ts"
import { ManualClock, settle } from "../ports/manual-clock.ts"
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts"
import type { Message, MessageType } from "./messages.ts"
import { openPeer, type Handlers, type Notice, type Peer, type PeerOptions } from "./peer.ts"
import { Refusal } from "./refusal.ts"
import { PeerRefused, TimedOut } from "./resp-error.ts"

const chain = new Uint8Array(32).fill(7)
const otherChain = new Uint8Array(32).fill(8)
const requestTimeoutMs = 30_000
const limits = { frameBytes: 100_000, concurrentRequests: 4, failures: { burst: 3, perMinute: 6 } }

const [ticket] = samples.RespTicket
const [threshold] = samples.RespThreshold
const [event] = samples.Event
const [{ receipt }] = samples.Receipt
const [share] = samples.RespDecryption
const [decryption] = samples.ReqDecryption

/** A wait whose end the test decides. */
function gate(): { readonly opened: Promise<void>; open: () => void } {
    let open: () => void = () => undefined
    const opened = new Promise<void>((resolve) => {
        open = resolve
    })
    return { opened, open }
}

type Opened = { readonly peer: Peer; readonly faults: unknown[]; readonly notices: Notice[] }

function open(channel: Channel, clock: ManualClock, options: Partial<PeerOptions>): Opened {
    const faults: unknown[] = []
    const notices: Notice[] = []
    const peer = openPeer({
        channel,
        side: "listener",
        chain,
        handlers: {},
        onNotice: (notice) => Promise.resolve(void notices.push(notice)),
        onFault: (error) => faults.push(error),
        limits,
        clock,
        requestTimeoutMs,
        ...options,
    })
    return { peer, faults, notices }
}

/** Two peers that talk to each other. */
function two(dialler: Partial<PeerOptions>, listener: Partial<PeerOptions>, line: LineOptions = {}) {
    const clock = new ManualClock(1000)
    const [left, right, { cut }] = channelPair(line)
    return {
        clock,
        cut,
        dialler: open(left, clock, { side: "dialler", ...dialler }),
        listener: open(right, clock, listener),
    }
}

/** A peer, the listener, and a dialler that sends what it likes. */
function alone(options: Partial<PeerOptions>, line: LineOptions = {}) {
    const clock = new ManualClock(1000)
    const [left, right, { cut }] = channelPair(line)
    const answers: Frame[] = []
    void (async () => {
        for await (const bytes of left.frames) answers.push(decodeFrame(bytes, 1 << 20))
    })()
    async function send(...frames: readonly (Uint8Array | object)[]): Promise<void> {
        for (const frame of frames) {
            await left.send(frame instanceof Uint8Array ? frame : encodeFrame({ chain, ...frame } as Frame))
        }
        await settle()
    }
    return { clock, cut, send, answers, raw: left, ...open(right, clock, options) }
}

function ask<T extends MessageType>(type: T, id: number, body: Message<T>) {
    return { type, id, body }
}

const codes = (answers: readonly Frame[]): string[] =>
    answers.map((frame) => (frame.type === "RespError" ? frame.body.code : frame.type))

const answersTicket: Handlers = { ReqTicket: () => Promise.resolve(ticket) }

describe("a request", () => {
    test("is answered, from either side", async () => {
        const { dialler, listener } = two(
            { handlers: { ReqDecryption: () => Promise.resolve(share) } },
            { handlers: answersTicket },
        )
        expect(await dialler.peer.request("ReqTicket", {})).toStrictEqual(ticket)
        expect(await listener.peer.request("ReqDecryption", decryption)).toStrictEqual(share)
        expect([dialler.faults, listener.faults]).toStrictEqual([[], []])
    })

    test("gets its own answer, in whatever order they come", async () => {
        const slow = gate()
        const { dialler } = two(
            {},
            {
                handlers: {
                    ReqEntries: async ({ from }) => {
                        if (from === 1) await slow.opened
                        return { from, entries: [] }
                    },
                },
            },
        )
        const first = dialler.peer.request("ReqEntries", { from: 1, limit: 1 })
        const second = dialler.peer.request("ReqEntries", { from: 2, limit: 1 })
        expect(await second).toStrictEqual({ from: 2, entries: [] })
        slow.open()
        expect(await first).toStrictEqual({ from: 1, entries: [] })
    })

    test("is refused with code, action, facts and detail", async () => {
        const closedAt = 1_767_225_600_123
        const { dialler, listener } = two(
            {},
            { handlers: { ReqTicket: () => Promise.reject(new Refusal("round-closed", { closedAt })) } },
        )
        const error = await dialler.peer.request("ReqTicket", {}).catch((error: unknown) => error)
        expect(error).toBeInstanceOf(PeerRefused)
        expect(error).toMatchObject({
            code: "round-closed",
            action: "wait",
            facts: { closedAt },
            detail: `The deadline of the round has passed. (closedAt ${closedAt})`,
        })
        expect(listener.faults).toStrictEqual([])
    })

    test("that nobody handles is refused", async () => {
        const { dialler } = two({}, { handlers: answersTicket })
        expect(await dialler.peer.request("ReqTicket", {})).toStrictEqual(ticket)
        await expect(dialler.peer.request("ReqPubKey", {})).rejects.toMatchObject({
            code: "unknown-message",
            action: "stop",
            facts: { type: "ReqPubKey" },
        })
    })

    test("carries refusals whose text has to be cut or cleaned", async () => {
        const text = `${"x".repeat(255)}\u{1f3b2}\u001b`
        const { dialler } = two(
            {},
            { handlers: { ReqTicket: () => Promise.reject(new Refusal("bad-key", { text })) } },
        )
        await expect(dialler.peer.request("ReqTicket", {})).rejects.toMatchObject({
            code: "bad-key",
            facts: { text: "x".repeat(255) },
        })
    })

    test("whose handler fails closes the connection and says nothing of the failure", async () => {
        const failure = new Error("secret path")
        const { dialler, listener } = two({}, { handlers: { ReqTicket: () => Promise.reject(failure) } })
        await expect(dialler.peer.request("ReqTicket", {})).rejects.toThrow(
            "connection closed: 1011 internal error",
        )
        expect(listener.faults).toStrictEqual([failure])
        expect(await dialler.peer.closed).toStrictEqual({ code: 1011, reason: "internal error" })
        expect(dialler.notices).toStrictEqual([])
    })

    test("times out when the clock says so, and not before", async () => {
        const never = gate()
        const { dialler, clock } = two({}, { handlers: { ReqTicket: () => never.opened.then(() => ticket) } })
        let outcome = "waiting"
        dialler.peer.request("ReqTicket", {}).catch((error: unknown) => (outcome = String(error)))
        await clock.advance(requestTimeoutMs - 1)
        expect(outcome).toBe("waiting")
        await clock.advance(1)
        expect(outcome).toBe("Unanswered: ReqTicket: no answer within 30000 ms")
    })

    test("answered too late costs the other side nothing", async () => {
        const late = gate()
        const { dialler, listener, clock } = two(
            { limits: { ...limits, failures: { burst: 0, perMinute: 0 } } },
            {
                handlers: {
                    ReqTicket: () => late.opened.then(() => ticket),
                    ReqThreshold: () => Promise.resolve(threshold),
                },
            },
        )
        const outcome = Promise.allSettled([dialler.peer.request("ReqTicket", {})])
        await clock.advance(requestTimeoutMs)
        expect(await outcome).toMatchObject([{ status: "rejected" }])
        late.open()
        await settle()
        expect(await dialler.peer.request("ReqThreshold", {})).toStrictEqual(threshold)
        expect(listener.notices).toStrictEqual([])
    })

    test("leaves nothing in its signal, whatever comes of it", async () => {
        const { clock, dialler } = two({}, { handlers: answersTicket })
        const silent = two({}, { handlers: { ReqTicket: () => gate().opened.then(() => ticket) } })
        const { signal } = new AbortController()
        for (let times = 0; times < 3; times += 1) await dialler.peer.request("ReqTicket", {}, signal)
        await dialler.peer.request("ReqDecryption", decryption, signal).catch(() => undefined)
        const late = silent.dialler.peer.request("ReqTicket", {}, signal).catch((error: unknown) => error)
        await silent.clock.advance(requestTimeoutMs)
        expect(await late).toBeInstanceOf(TimedOut)
        expect([signalHolders(signal), clock.waiting]).toEqual([0, 0])
    })

    test("is given up when its signal says so", async () => {
        const late = gate()
        let asked = 0
        const { dialler } = two(
            {},
            {
                handlers: {
                    ReqTicket: async () => {
                        asked += 1
                        await late.opened
                        return ticket
                    },
                },
            },
        )
        const stop = new AbortController()
        const asking = dialler.peer.request("ReqTicket", {}, stop.signal)
        await settle()
        stop.abort(new Error("not needed"))
        await expect(asking).rejects.toThrow("not needed")
        await expect(dialler.peer.request("ReqTicket", {}, stop.signal)).rejects.toThrow("not needed")
        late.open()
        expect(await dialler.peer.request("ReqTicket", {})).toStrictEqual(ticket)
        expect(asked).toBe(2)
    })

    test("leaves no waiter on the clock once it is answered", async () => {
        const { dialler, clock } = two({}, { handlers: answersTicket })
        expect(await dialler.peer.request("ReqTicket", {})).toStrictEqual(ticket)
        expect(clock.waiting).toBe(0)
    })

    test("fails when the line is cut, and at once when it has been", async () => {
        const never = gate()
        const { dialler, listener, cut } = two(
            {},
            { handlers: { ReqTicket: () => never.opened.then(() => ticket) } },
        )
        const asking = dialler.peer.request("ReqTicket", {})
        await settle()
        cut()
        await expect(asking).rejects.toThrow("connection closed: 1006 connection lost")
        await expect(dialler.peer.request("ReqTicket", {})).rejects.toThrow("connection closed: 1006")
        await expect(dialler.peer.notify("Event", event)).rejects.toThrow("the channel is closed")
        expect(await dialler.peer.closed).toStrictEqual({ code: 1006, reason: "connection lost" })
        never.open()
        await settle()
        expect(listener.faults).toStrictEqual([])
    })

    test("still gets the answer that arrived before the close", async () => {
        const { dialler, listener } = two({}, { handlers: answersTicket })
        const asking = dialler.peer.request("ReqTicket", {})
        await settle()
        listener.peer.close(1001, "going")
        expect(await asking).toStrictEqual(ticket)
        expect(await dialler.peer.closed).toStrictEqual({ code: 1001, reason: "going" })
    })
})

describe("a handler that needs its peer's help", () => {
    const handlers: Handlers = {
        ReqEntries: async ({ from }, peer) => {
            await peer.request("ReqThreshold", {})
            return { from, entries: [] }
        },
    }

    test("passes a refusal on as busy, and is no fault", async () => {
        const { dialler, listener } = two(
            { handlers: { ReqThreshold: () => Promise.reject(new Refusal("no-round")) } },
            { handlers },
        )
        const asking = dialler.peer.request("ReqEntries", { from: 0, limit: 1 })
        await expect(asking).rejects.toMatchObject({ code: "busy", action: "wait" })
        expect(listener.faults).toStrictEqual([])
    })

    test("is no fault when the peer goes away instead", async () => {
        const never = gate()
        const { dialler, listener, cut } = two(
            { handlers: { ReqThreshold: () => never.opened.then(() => threshold) } },
            { handlers },
        )
        const outcome = Promise.allSettled([dialler.peer.request("ReqEntries", { from: 0, limit: 1 })])
        await settle()
        cut()
        await settle()
        expect(await outcome).toMatchObject([{ status: "rejected" }])
        expect(listener.faults).toStrictEqual([])
    })
})

describe("many requests at once", () => {
    /** A handler that ends when the test says so, and the most of it that ran at once. */
    function slow() {
        const work = gate()
        const seen = { running: 0, most: 0 }
        const ReqTicket = async () => {
            seen.most = Math.max(seen.most, ++seen.running)
            await work.opened
            seen.running -= 1
            return ticket
        }
        return { work, seen, handlers: { ReqTicket } }
    }

    test("run together up to the limit; those above it wait unread at the listener", async () => {
        const { work, seen, handlers } = slow()
        const { dialler } = two({}, { handlers })
        const asked = Array.from({ length: 10 }, () => dialler.peer.request("ReqTicket", {}))
        await settle()
        expect(seen.running).toBe(limits.concurrentRequests)
        work.open()
        expect(await Promise.all(asked)).toStrictEqual(Array.from({ length: 10 }, () => ticket))
        expect(seen.most).toBe(limits.concurrentRequests)
    })

    test("above the limit are refused as busy by the dialler", async () => {
        const { work, seen, handlers } = slow()
        const { listener } = two({ handlers }, {})
        const asked = Array.from({ length: 10 }, () => listener.peer.request("ReqTicket", {}))
        const outcomes = Promise.allSettled(asked)
        await settle()
        work.open()
        const refused = (await outcomes).flatMap((o) =>
            o.status === "rejected" ? [o.reason as unknown] : [],
        )
        expect(seen.most).toBe(limits.concurrentRequests)
        expect(refused).toHaveLength(10 - limits.concurrentRequests)
        for (const error of refused) expect(error).toMatchObject({ code: "busy", action: "wait" })
        expect(await listener.peer.request("ReqTicket", {})).toStrictEqual(ticket)
    })

    test("whose answers nobody takes are not answered further", async () => {
        const clock = new ManualClock()
        const [raw, right] = channelPair({ capacity: 1 })
        let handled = 0
        open(right, clock, { handlers: { ReqTicket: () => Promise.resolve((handled++, ticket)) } })
        for (let id = 1; id <= 199; id += 2) {
            void raw.send(encodeFrame({ type: "ReqTicket", id, chain, body: {} })).catch(() => undefined)
        }
        await settle()
        // One answer is in the channel, the others wait for room in it.
        expect(handled).toBe(limits.concurrentRequests + 1)
    })

    test("do not keep the answer from the listener that came before them", async () => {
        const { work, handlers } = slow()
        const { listener, dialler } = two(
            { handlers: { ReqDecryption: () => Promise.resolve(share) } },
            { handlers },
        )
        const asked = Array.from({ length: 9 }, () => dialler.peer.request("ReqTicket", {}))
        const answer = listener.peer.request("ReqDecryption", decryption)
        await settle()
        work.open()
        expect(await answer).toStrictEqual(share)
        await Promise.all(asked)
    })

    test("do not keep two sides, both at their limit, from each other's answers", async () => {
        // The dialler's asks the other side, as a key holder does that needs entries before it can decrypt.
        const ReqEntries: Handlers["ReqEntries"] = async ({ from }, peer) => {
            const { k } = await peer.request("ReqThreshold", {})
            return { from: from + k, entries: [] }
        }
        const { dialler, listener } = two(
            { handlers: { ReqEntries } },
            {
                handlers: {
                    ReqEntries: ({ from }) => Promise.resolve({ from: from + threshold.k, entries: [] }),
                    ReqThreshold: () => Promise.resolve(threshold),
                },
            },
            { capacity: 1 },
        )
        const sides = [dialler, listener]
        const asked = sides.flatMap(({ peer }) =>
            Array.from({ length: 8 }, () => peer.request("ReqEntries", { from: 0, limit: 1 })),
        )
        for (const outcome of await Promise.allSettled(asked)) {
            if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "busy" })
        }
        expect(sides.map(({ faults }) => faults)).toStrictEqual([[], []])
        const after = await Promise.all(
            sides.map(({ peer }) => peer.request("ReqEntries", { from: 0, limit: 1 })),
        )
        expect(after).toStrictEqual([32, 32].map((from) => ({ from, entries: [] })))
    })

    test("with refusals that nobody reads end the connection, not the memory", async () => {
        const never = gate()
        const clock = new ManualClock()
        const [raw, right] = channelPair({ capacity: 1 })
        const { peer } = open(right, clock, {
            side: "dialler",
            handlers: { ReqTicket: () => never.opened.then(() => ticket) },
        })
        const flood = (async () => {
            for (let id = 2; ; id += 2)
                await raw.send(encodeFrame({ type: "ReqTicket", id, chain, body: {} }))
        })()
        await expect(flood).rejects.toThrow("the channel is closed")
        expect(await peer.closed).toStrictEqual({ code: 4001, reason: "refusals are not read" })
    })
})

describe("what is no frame", () => {
    test("is answered with the reason and ends the connection", async () => {
        const { send, answers, peer } = alone({ handlers: answersTicket })
        await send(ask("ReqTicket", 1, {}))
        await send(Uint8Array.of(0xc1))
        expect(codes(answers)).toStrictEqual(["RespTicket", "malformed"])
        expect(answers[1]).toMatchObject({
            id: 0,
            body: {
                action: "fix",
                facts: { path: "frame", problem: "type 0xc1, which no message uses, at byte 0" },
            },
        })
        expect(await peer.closed).toStrictEqual({ code: 1007, reason: "malformed" })
    })

    test("is named by its id where it has one", async () => {
        const { send, answers, peer } = alone({ handlers: answersTicket })
        await send({ type: "ReqTicket", id: 5, body: { round: 1 } }, ask("ReqTicket", 7, {}))
        expect(answers).toMatchObject([
            {
                id: 5,
                body: { code: "malformed", facts: { path: "ReqTicket", problem: "unknown field round" } },
            },
        ])
        expect((await peer.closed).code).toBe(1007)
    })

    test("is too large for this side", async () => {
        const { send, answers, peer } = alone({})
        await send(new Uint8Array(limits.frameBytes + 1))
        expect(codes(answers)).toStrictEqual(["oversized"])
        expect(await peer.closed).toStrictEqual({ code: 1009, reason: "oversized" })
    })

    test.each([
        ["an even id from the side of the odd ones", ask("ReqTicket", 2, {})],
        ["an acknowledgement of what this side asked", ask("Receipt", 2, { receipt })],
    ])("includes %s", async (_, frame) => {
        const { send, answers, peer } = alone({ handlers: answersTicket })
        await send(ask("ReqTicket", 1, {}), frame)
        expect(codes(answers)).toStrictEqual(["RespTicket", "malformed"])
        expect((await peer.closed).code).toBe(1007)
    })

    test("includes an id that is still being answered", async () => {
        const never = gate()
        const { send, answers, peer } = alone({
            handlers: { ReqTicket: () => never.opened.then(() => ticket) },
        })
        await send(ask("ReqTicket", 1, {}))
        expect(answers).toStrictEqual([])
        await send(ask("ReqTicket", 1, {}))
        expect(codes(answers)).toStrictEqual(["malformed"])
        expect((await peer.closed).code).toBe(1007)
    })

    test("includes an answer of another type than was asked for", async () => {
        const { send, answers, peer } = alone({})
        const outcome = Promise.allSettled([peer.request("ReqThreshold", {})])
        await settle()
        expect(answers).toMatchObject([{ type: "ReqThreshold", id: 2 }])
        await send(ask("RespTicket", 2, ticket))
        expect(await outcome).toMatchObject([{ reason: { message: "connection closed: 1007 malformed" } }])
        expect(codes(answers)).toStrictEqual(["ReqThreshold", "malformed"])
    })
})

describe("a frame of another chain", () => {
    test("is refused to its sender by the chain it named, and nothing else ends", async () => {
        const { send, answers } = alone({ handlers: answersTicket })
        await send({ ...ask("ReqTicket", 1, {}), chain: otherChain }, ask("ReqTicket", 3, {}))
        expect(codes(answers).sort()).toStrictEqual(["RespTicket", "wrong-chain"])
        expect(answers.find(({ id }) => id === 1)?.chain).toStrictEqual(otherChain)
    })

    test("reaches the asker as a refusal", async () => {
        const { dialler } = two({ chain: otherChain }, { handlers: answersTicket })
        await expect(dialler.peer.request("ReqTicket", {})).rejects.toMatchObject({ code: "wrong-chain" })
    })

    test("is no answer, and is not answered if it looks like one", async () => {
        const { send, answers, peer } = alone({})
        const asking = peer.request("ReqTicket", {})
        await send({ ...ask("RespTicket", 2, ticket), chain: otherChain })
        expect(codes(answers)).toStrictEqual(["ReqTicket"])
        await send(ask("RespTicket", 2, ticket))
        expect(await asking).toStrictEqual(ticket)
    })

    test("counts as a failure", async () => {
        const { send, answers, peer } = alone({})
        const strange = [1, 3, 5, 7].map((id) => ({ ...ask("ReqTicket", id, {}), chain: otherChain }))
        await send(...strange)
        expect(codes(answers)).toStrictEqual(["wrong-chain", "wrong-chain", "wrong-chain", "over-budget"])
        expect((await peer.closed).code).toBe(1008)
    })
})

describe("the budget of failures", () => {
    const refusing = (code: "bad-signature" | "not-eligible" | "no-round"): Handlers => ({
        ReqTicket: () => Promise.reject(new Refusal(code)),
    })
    const asks = (count: number) => Array.from({ length: count }, (_, i) => ask("ReqTicket", 2 * i + 1, {}))

    test.each(["bad-signature", "not-eligible"] as const)("is spent by %s", async (code) => {
        const { send, answers, peer } = alone({ handlers: refusing(code) })
        await send(...asks(3))
        expect(codes(answers)).toStrictEqual([code, code, code])
        await send(ask("ReqTicket", 9, {}))
        expect(codes(answers).at(-1)).toBe("over-budget")
        expect(await peer.closed).toStrictEqual({ code: 1008, reason: "over-budget" })
    })

    test("is not spent by what may succeed later", async () => {
        const { send, answers } = alone({ handlers: refusing("no-round") })
        for (const frame of asks(20)) await send(frame)
        expect(codes(answers)).toStrictEqual(new Array<string>(20).fill("no-round"))
    })

    test("comes back with time", async () => {
        const { send, answers, clock } = alone({ handlers: refusing("bad-signature") })
        for (const frame of asks(10)) {
            await send(frame)
            await clock.advance(10_000)
        }
        expect(codes(answers)).toStrictEqual(new Array<string>(10).fill("bad-signature"))
    })

    test("is spent by answers to nothing, which get no answer", async () => {
        const { send, answers, peer } = alone({})
        for (const id of [2, 4, 6]) await send(ask("RespTicket", id, ticket))
        expect(answers).toStrictEqual([])
        await send(ask("RespError", 8, { code: "busy", action: "wait", facts: {}, detail: "" }))
        expect(codes(answers)).toStrictEqual(["over-budget"])
        expect((await peer.closed).code).toBe(1008)
    })

    test("is spent by a second answer to one request", async () => {
        const { send, answers, peer } = alone({ limits: { ...limits, failures: { burst: 0, perMinute: 0 } } })
        const asking = peer.request("ReqTicket", {})
        await send(ask("RespTicket", 2, ticket))
        expect(await asking).toStrictEqual(ticket)
        await send(ask("RespTicket", 2, ticket))
        expect(codes(answers)).toStrictEqual(["ReqTicket", "over-budget"])
    })
})

describe("notices", () => {
    test("come one at a time and in order", async () => {
        const seen: string[] = []
        const { dialler, listener } = two(
            {
                onNotice: async (notice) => {
                    if (notice.type !== "Event") return
                    seen.push(`begin ${notice.body.size}`)
                    await settle()
                    seen.push(`end ${notice.body.size}`)
                },
            },
            {},
        )
        for (const size of [1, 2]) await listener.peer.notify("Event", { ...event, size })
        await settle()
        await settle()
        await settle()
        expect(seen).toStrictEqual(["begin 1", "end 1", "begin 2", "end 2"])
        expect(dialler.faults).toStrictEqual([])
    })

    test("wait for a reader that is slow", async () => {
        const slow = gate()
        const { listener } = two({ onNotice: () => slow.opened }, {}, { capacity: 2 })
        let sent = 0
        const sending = (async () => {
            for (; sent < 10; sent += 1) await listener.peer.notify("Event", event)
        })()
        await settle()
        expect(sent).toBe(3)
        slow.open()
        await sending
        expect(sent).toBe(10)
    })

    test("acknowledge an answer under the asker's id", async () => {
        let answered = 0
        const { dialler, listener } = two(
            {
                handlers: {
                    ReqDecryption: (_, __, id) => {
                        answered = id
                        return Promise.resolve(share)
                    },
                },
            },
            {},
        )
        const { id, response } = listener.peer.ask("ReqDecryption", decryption)
        expect(await response).toStrictEqual(share)
        await listener.peer.acknowledge(id, receipt)
        await settle()
        expect(answered).toBe(id)
        expect(dialler.notices).toStrictEqual([{ type: "Receipt", id, chain, body: { receipt } }])
    })

    test("refuse an answer, and are not taken for the answer to another request", async () => {
        const slow = gate()
        const { dialler, listener } = two(
            { handlers: { ReqDecryption: () => Promise.resolve(share) } },
            { handlers: { ReqTicket: () => slow.opened.then(() => ticket) } },
        )
        const waiting = dialler.peer.request("ReqTicket", {})
        const { id, response } = listener.peer.ask("ReqDecryption", decryption)
        await response
        await listener.peer.refuse(id, new Refusal("bad-share", { member: 1 }))
        await settle()
        expect(dialler.notices).toMatchObject([
            { type: "RespError", id, body: { code: "bad-share", facts: { member: 1 } } },
        ])
        slow.open()
        expect(await waiting).toStrictEqual(ticket)
    })

    test("that this side does not take are refused, but a refusal never is", async () => {
        const clock = new ManualClock()
        const [raw, right] = channelPair()
        const peer = openPeer({
            channel: right,
            side: "listener",
            chain,
            handlers: {},
            onFault: () => undefined,
            limits,
            clock,
            requestTimeoutMs,
        })
        const answers: Frame[] = []
        void (async () => {
            for await (const bytes of raw.frames) answers.push(decodeFrame(bytes, 1 << 20))
        })()
        await raw.send(encodeFrame({ type: "Event", id: 0, chain, body: event }))
        await raw.send(encodeFrame({ type: "RespError", id: 1, chain, body: samples.RespError[0] }))
        await settle()
        expect(codes(answers)).toStrictEqual(["unknown-message"])
        peer.close(1000, "done")
    })

    test("may be refused by their reader", async () => {
        const { send, answers, faults } = alone({ onNotice: () => Promise.reject(new Refusal("forked")) })
        await send(ask("Event", 0, event))
        expect(codes(answers)).toStrictEqual(["forked"])
        expect(faults).toStrictEqual([])
    })

    test("whose reader fails close the connection", async () => {
        const failure = new Error("secret path")
        const { send, answers, faults, peer } = alone({ onNotice: () => Promise.reject(failure) })
        await send(ask("Event", 0, event))
        expect(answers).toStrictEqual([])
        expect(faults).toStrictEqual([failure])
        expect(await peer.closed).toStrictEqual({ code: 1011, reason: "internal error" })
    })
})

test("a closed peer handles nothing more that had already arrived", async () => {
    let handled = 0
    const { send, peer } = alone({
        handlers: {
            ReqTicket: () => {
                handled += 1
                peer.close(1000, "done")
                return Promise.resolve(ticket)
            },
        },
    })
    await send(ask("ReqTicket", 1, {}), ask("ReqTicket", 3, {})).catch(() => undefined)
    expect(handled).toBe(1)
    expect(await peer.closed).toStrictEqual({ code: 1000, reason: "done" })
})

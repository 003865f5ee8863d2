import fc from "fast-check"
import { pack } from "msgpackr"
import { describe, expect, test } from "vitest"

import { samples } from "../../../../test/samples/messages.ts"
import { DecodeError } from "./decode-error.ts"
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts"

const chain = new Uint8Array(32).fill(7)
const limit = 1 << 20

const frames = Object.entries(samples).flatMap(([type, bodies]) =>
    bodies.map((body) => ({ type, id: type === "Event" ? 0 : 9, chain, body }) as Frame),
)

/** What a sender can put on the wire that this side would never encode. */
function send(frame: object): Uint8Array {
    return encodeFrame(frame as Frame)
}

function problem(bytes: Uint8Array): string {
    try {
        decodeFrame(bytes, limit)
    } catch (error) {
        if (error instanceof DecodeError) return error.message
        throw error
    }
    return "accepted"
}

type Path = readonly (string | number)[]

/** Every place in a value, the value itself included. */
function places(value: unknown, path: Path = []): { path: Path; value: unknown }[] {
    const inner = Array.isArray(value)
        ? value.flatMap((item, i) => places(item, [...path, i]))
        : isMap(value)
          ? Object.entries(value).flatMap(([name, field]) => places(field, [...path, name]))
          : []
    return [{ path, value }, ...inner]
}

/** The value with another one at the path; `undefined` takes the field away. */
function replaced(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
    if (step === undefined) return by
    if (Array.isArray(value))
        return value.map((item, i) => (i === step ? replaced(item, rest, by) : (item as unknown)))
    const fields = Object.entries(value as object).map(([name, field]) => [
        name,
        name === step ? replaced(field, rest, by) : (field as unknown),
    ])
    return Object.fromEntries(fields.filter(([, field]) => field !== undefined))
}

function show(root: string, path: Path): string {
    return root + path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("")
}

function isMap(value: unknown): value is object {
    return (
        typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    )
}

/** Values of the wrong sort for a place, told from the right value there. */
function strangers(right: unknown): unknown[] {
    const [nil, yes, one, text, bytes, list, map] = [null, true, 1, "text", new Uint8Array(5), [], { x: 1 }]
    if (right === null) return [yes, map]
    if (right instanceof Uint8Array) return [yes, one, text, list, map]
    if (Array.isArray(right)) return [yes, one, text, bytes, map]
    if (typeof right === "number") return [nil, yes, text, bytes, list, map, -1, 0.5]
    if (typeof right === "string") return [nil, yes, one, bytes, list, map]
    if (typeof right === "boolean") return [nil, one, text, bytes, list, map]
    return [nil, yes, one, text, bytes, list]
}

/** RespError's facts have free names and mixed values; they have tests of their own below. */
const isFact = (path: Path): boolean => path[0] === "facts" && path.length > 1

const mayBeNil = new Set(["ReqSubscribe.index", "ReqSubscribe.round"])

const ofVariableLength = new Set(["statement", "message", "genesis", "entry", "entries"])

describe.each(frames.map((frame, i) => [`${frame.type} (${i})`, frame] as const))("%s", (_, frame) => {
    const { type, body } = frame
    const everywhere = places(body).filter(({ path }) => !isFact(path))

    test("comes back as it was sent", () => {
        const back = decodeFrame(encodeFrame(frame), limit)
        expect(back).toStrictEqual(frame)
    })

    test("shares no memory with what was received", () => {
        const bytes = encodeFrame(frame)
        const back = decodeFrame(bytes, limit)
        bytes.fill(0xff)
        expect(back).toStrictEqual(frame)
    })

    test("is refused without any one of its fields", () => {
        for (const { path } of everywhere.filter(({ path }) => typeof path.at(-1) === "string")) {
            const said = problem(send({ ...frame, body: replaced(body, path, undefined) }))
            expect(said).toMatch(
                /^[^:]+: (expected .*, got (nothing|undefined)|expected one of .*|has none of .*)$/,
            )
            expect(said.split(":")[0]).toBe(show(type, path))
        }
    })

    test("is refused with a field more", () => {
        for (const { path, value } of everywhere) {
            if (!isMap(value) || path[0] === "facts") continue
            const said = problem(send({ ...frame, body: replaced(body, path, { ...value, constructor: 1 }) }))
            expect(said).toBe(`${show(type, path)}: unknown field constructor`)
        }
    })

    test("is refused with a value of another sort", () => {
        for (const { path, value } of everywhere) {
            for (const stranger of strangers(value)) {
                if (stranger === null && mayBeNil.has(show(type, path))) continue
                const said = problem(send({ ...frame, body: replaced(body, path, stranger) })).split(": ")[0]
                const place = path.length === 0 ? "frame.body" : show(type, path)
                // To zod bytes are a map that lacks all its fields, so the first of them is named.
                if (isMap(value) && stranger instanceof Uint8Array) expect(said?.startsWith(place)).toBe(true)
                else expect(said).toBe(place)
            }
        }
    })

    test("is refused with bytes of another length", () => {
        for (const { path, value } of everywhere) {
            if (!(value instanceof Uint8Array)) continue
            if (path.some((step) => ofVariableLength.has(String(step)))) continue
            for (const length of [0, value.length - 1, value.length + 1]) {
                const said = problem(send({ ...frame, body: replaced(body, path, new Uint8Array(length)) }))
                expect(said).toBe(`${show(type, path)}: expected ${value.length} bytes, got ${length}`)
            }
        }
    })

    test("is refused with an integer that no number holds", () => {
        for (const { path, value } of everywhere) {
            if (typeof value !== "number") continue
            const said = problem(send({ ...frame, body: replaced(body, path, 2n ** 60n) }))
            expect(said).toMatch(/^frame: integer beyond 2\^53 at byte \d+$/)
        }
    })

    test("is refused when cut short or continued", () => {
        const bytes = encodeFrame(frame)
        const cuts = bytes.length < 1000 ? bytes.keys() : [0, 1, 10, 100, bytes.length - 1]
        for (const length of cuts) expect(problem(bytes.subarray(0, length))).toMatch(/^frame: ends early/)
        expect(problem(Uint8Array.from([...bytes, 0xc0]))).toBe(
            `frame: trailing bytes at byte ${bytes.length}`,
        )
    })
})

describe("the frame itself", () => {
    const [good] = frames.filter(({ type }) => type === "ReqThreshold")

    test.each([
        ["an unknown type", { type: "ReqTick" }, "frame.type: not a message of this protocol"],
        [
            "a type that every object has",
            { type: "constructor" },
            "frame.type: not a message of this protocol",
        ],
        ["a number for a type", { type: 1 }, "frame.type: expected string, got 1"],
        ["a negative id", { id: -1 }, "frame.id: expected at least 0"],
        ["an id of 33 bits", { id: 2 ** 32 }, "frame.id: expected at most 4294967295"],
        ["half an id", { id: 0.5 }, "frame.id: expected integer, got 0.5"],
        [
            "a request of id 0",
            { id: 0 },
            "frame.id: expected 0 for an Event, and for nothing but that or a RespError",
        ],
        ["a short chain", { chain: new Uint8Array(31) }, "frame.chain: expected 32 bytes, got 31"],
        ["a chain in hex", { chain: "00".repeat(32) }, "frame.chain: expected 32 bytes, got string"],
        ["a body of nil", { body: null }, "frame.body: expected map, got nil"],
        ["no bytes for no fields", { body: new Uint8Array(0) }, "frame.body: expected map, got bytes"],
        ["a fifth field", { more: 1 }, "frame: unknown field more"],
    ])("refuses %s", (_, wrong, message) => {
        expect(problem(send({ ...good }))).toBe("accepted")
        expect(problem(send({ ...good, ...wrong }))).toBe(message)
    })

    test.each(["type", "id", "chain", "body"])("refuses to do without %s", (name) => {
        const rest = Object.entries(good!).filter(([other]) => other !== name)
        expect(problem(pack(Object.fromEntries(rest)))).toMatch(
            new RegExp(`^frame\\.${name}: expected .*, got `),
        )
    })

    test("refuses what is not a map", () => {
        expect(problem(Uint8Array.of(0x90))).toBe("frame: expected map, got array")
    })

    test("refuses more bytes than the limit, and takes as many", () => {
        const bytes = encodeFrame(good!)
        expect(decodeFrame(bytes, bytes.length)).toStrictEqual(good)
        expect(() => decodeFrame(bytes, bytes.length - 1)).toThrow(
            `frame: expected at most ${bytes.length - 1} bytes, got ${bytes.length}`,
        )
    })

    test("names the id of a message whose body is wrong", () => {
        const bytes = send({ ...good, body: { x: 1 } })
        expect(() => decodeFrame(bytes, limit)).toThrow(expect.objectContaining({ id: 9 }))
    })

    test("is encoded into bytes of its own", () => {
        const first = encodeFrame(good!)
        const kept = Uint8Array.from(first)
        encodeFrame({ ...good!, id: 10 })
        expect(first).toStrictEqual(kept)
        expect(first.buffer.byteLength).toBe(first.length)
    })

    test("carries integers above 32 bits as integers", () => {
        const bytes = send({ type: "ReqProof", id: 9, chain, body: { index: 2 ** 32, size: 2 ** 53 - 1 } })
        // d3: a signed integer of 64 bits, for what fits one.
        expect(bytes.filter((byte) => byte === 0xcb)).toHaveLength(0)
        expect(decodeFrame(bytes, limit).body).toStrictEqual({ index: 2 ** 32, size: 2 ** 53 - 1 })
    })

    test("carries a fact beyond the integers as the float that it came as", () => {
        const body = { code: "busy", action: "wait", facts: { much: 2 ** 1022 }, detail: "" } as const
        const error: Frame = { type: "RespError", id: 9, chain, body }
        expect(decodeFrame(encodeFrame(error), limit)).toEqual(error)
    })

    test("is the same from a Buffer as from plain bytes", () => {
        const bytes = Buffer.from(encodeFrame(good!))
        expect(decodeFrame(bytes, limit)).toStrictEqual(good)
    })
})

describe("limits of single fields", () => {
    function body(type: string, fields: object): string {
        const sample = frames.find((frame) => frame.type === type)!
        return problem(send({ ...sample, body: { ...sample.body, ...fields } }))
    }
    const items = <T>(count: number, item: T): T[] => new Array<T>(count).fill(item)
    const key = new Uint8Array(32)

    test.each([
        ["ReqContribution", { statement: new Uint8Array(4096) }, "accepted"],
        [
            "ReqContribution",
            { statement: new Uint8Array(4097) },
            "ReqContribution.statement: expected 0 to 4096 bytes, got 4097",
        ],
        ["RespHello", { genesis: new Uint8Array(0) }, "RespHello.genesis: expected 1 to 65535 bytes, got 0"],
        [
            "RespHello",
            { genesis: new Uint8Array(65_536) },
            "RespHello.genesis: expected 1 to 65535 bytes, got 65536",
        ],
        [
            "RespHello",
            { checkpoint: "x".repeat(16_385) },
            "RespHello.checkpoint: expected at most 16384 characters",
        ],
        ["ReqHello", { versions: [] }, "ReqHello.versions: expected at least 1 elements"],
        ["ReqHello", { versions: items(17, 1) }, "ReqHello.versions: expected at most 16 elements"],
        [
            "ReqHello",
            { role: "pdl" },
            "ReqHello.role: expected one of observer, party, requester, entropy-node",
        ],
        [
            "ReqHello",
            { answering: null },
            "ReqHello: expected all or none of identity, answering and signature",
        ],
        ["ReqSubscribe", { index: 1, round: 1 }, "ReqSubscribe: expected at most one of index and round"],
        ["ReqRegister", { role: "observer" }, "ReqRegister.role: has none of the forms that it may have"],
        ["RespPubKey", { members: items(257, key) }, "RespPubKey.members: expected at most 256 elements"],
        ["ReqEntries", { limit: 0 }, "ReqEntries.limit: expected at least 1"],
        ["ReqEntries", { limit: 1025 }, "ReqEntries.limit: expected at most 1024"],
        [
            "RespEntries",
            { entries: items(1025, Uint8Array.of(1)) },
            "RespEntries.entries: expected at most 1024 elements",
        ],
        ["Event", { entries: items(1024, { index: 1, entry: Uint8Array.of(1) }) }, "accepted"],
        [
            "ReqSubscribe",
            { kinds: ["x".repeat(33)] },
            "ReqSubscribe.kinds[0]: expected at most 32 characters",
        ],
        ["RespError", { action: "retry" }, "RespError.action: expected one of fix, wait, stop"],
        ["RespError", { code: "x".repeat(65) }, "RespError.code: expected at most 64 characters"],
        ["RespError", { detail: "\u001b[2J" }, "RespError.detail: expected no control characters"],
        [
            "RespError",
            { facts: { a: new Uint8Array(1) } },
            "RespError.facts.a: has none of the forms that it may have",
        ],
        [
            "RespError",
            { facts: { a: "x".repeat(257) } },
            "RespError.facts.a: expected at most 256 characters",
        ],
        ["RespError", { facts: { constructor: 1 } }, "accepted"],
    ])("%s %#", (type, fields, said) => {
        expect(body(type, fields)).toBe(said)
    })
})

describe("arbitrary bytes", () => {
    /** A value or a DecodeError: `problem` lets anything else through, and a value must encode to itself. */
    function holds(bytes: Uint8Array): void {
        if (problem(bytes) !== "accepted") return
        const frame = decodeFrame(bytes, limit)
        expect(decodeFrame(encodeFrame(frame), limit)).toStrictEqual(frame)
    }

    test("give a frame or a DecodeError", () => {
        fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), holds), { numRuns: 3000 })
    })

    test("in a valid frame give a frame or a DecodeError", () => {
        const small = frames.map(encodeFrame).filter((bytes) => bytes.length < 2000)
        const edit = fc.record({
            at: fc.nat(),
            remove: fc.nat({ max: 4 }),
            insert: fc.uint8Array({ maxLength: 4 }),
        })
        fc.assert(
            fc.property(
                fc.constantFrom(...small),
                fc.array(edit, { minLength: 1, maxLength: 3 }),
                (bytes, edits) => {
                    const list = [...bytes]
                    for (const { at, remove, insert } of edits)
                        list.splice(at % list.length, remove, ...insert)
                    holds(Uint8Array.from(list))
                },
            ),
            { numRuns: 5000 },
        )
    })
})

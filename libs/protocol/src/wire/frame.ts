/**
 * Bytes to messages and back (PROTOCOL.md §8): a frame is a MessagePack map with exactly type, id, chain and body.
 *
 * The id is chosen by the asker and repeated by whatever answers or acknowledges; an Event carries 0.
 */
import { Packr } from "msgpackr/index-no-eval"
import { z } from "zod"

import { DecodeError } from "./decode-error.ts"
import { bytes, messages, uint32, type Message, type MessageType } from "./messages.ts"
import { firstProblem } from "./problem.ts"
import { checkShape } from "./shape.ts"

export type Frame = {
    [T in MessageType]: {
        readonly type: T
        readonly id: number
        readonly chain: Uint8Array
        readonly body: Message<T>
    }
}[MessageType]

const packr = new Packr({
    useRecords: false,
    mapsAsObjects: true,
    variableMapSize: true,
    int64AsType: "number",
})

/** What was found instead is said in kind, never in full; see problem.ts. */
const reporting = { reportInput: true } as const

const frame = z.strictObject({
    type: z.string(),
    id: uint32,
    chain: bytes(32),
    // A record, because zod's objects also take a Uint8Array: no bytes at all would be a map without fields.
    body: z.record(z.string(), z.unknown()),
})

/** The caller's own bytes: msgpackr would hand out a view on a pool that it writes to again. */
export function encodeFrame(frame: Frame): Uint8Array {
    return new Uint8Array(packr.pack({ ...frame, body: withInt64(frame.body) }))
}

/** Throws a {@link DecodeError} that names the first problem; nothing in the result shares the received memory. */
export function decodeFrame(received: Uint8Array, limit: number): Frame {
    if (received.length > limit) {
        throw new DecodeError("frame", `expected at most ${limit} bytes, got ${received.length}`)
    }
    checkShape(received)
    const head = frame.safeParse(unpack(received), reporting)
    if (!head.success) throw firstProblem("frame", head.error, 0)
    const { type, id, chain } = head.data
    if (!isMessageType(type)) throw new DecodeError("frame.type", "not a message of this protocol", id)
    if ((id === 0) !== (type === "Event") && type !== "RespError") {
        throw new DecodeError(
            "frame.id",
            "expected 0 for an Event, and for nothing but that or a RespError",
            id,
        )
    }
    const body = messages[type].safeParse(head.data.body, reporting)
    if (!body.success) throw firstProblem(type, body.error, id)
    // TypeScript does not see that schema and type were chosen together.
    return { type, id, chain, body: body.data } as Frame
}

/** A view of its own, because msgpackr leaves a property on what it is given. */
function unpack(received: Uint8Array): unknown {
    return packr.unpack(new Uint8Array(received.buffer, received.byteOffset, received.byteLength))
}

function isMessageType(type: string): type is MessageType {
    return Object.hasOwn(messages, type)
}

/** msgpackr writes numbers above 32 bits as floats; readers that take the field for an integer expect one. */
function withInt64(value: unknown): unknown {
    if (typeof value === "number")
        return Number.isSafeInteger(value) && value > 0xffffffff ? BigInt(value) : value
    if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value
    if (Array.isArray(value)) return value.map(withInt64)
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withInt64(field)]))
}

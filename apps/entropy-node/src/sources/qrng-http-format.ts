/** What each service is asked, and what its answer must be: exactly as many bytes as were asked for. */
import { fromHex } from "@tallylight/crypto/bytes.js"
import { z } from "zod"

import type { AnuSettings, IdQuantiqueSettings, QrngHttpSettings } from "./qrng-http-settings.ts"

export type QrngRequest = {
    /** To be appended to the settings' address. */
    readonly path: string
    /** Longest answer, of any layout of its JSON. */
    readonly maxBytes: number
    /** Throws an Error that says what is wrong with it. */
    readonly parse: (body: Uint8Array) => Uint8Array
}

/** For up to `length` bytes, or for more where a request is dear. */
export function qrngRequest(settings: QrngHttpSettings, length: number): QrngRequest {
    return settings.api === "idq" ? idqRequest(settings, length) : anuRequest(settings)
}

function idqRequest({ format, blockBytes }: IdQuantiqueSettings, length: number): QrngRequest {
    const count = Math.min(length, blockBytes)
    if (format === "streambytes") {
        return {
            path: `/api/2.0/streambytes?size=${count}`,
            maxBytes: count,
            parse: (body) => exactly(count, body),
        }
    }
    const digits = z.array(z.string().regex(/^[0-9a-fA-F]{2}$/))
    return {
        path: `/api/2.0/hexbytes?quantity=${count}&dataLength=1`,
        maxBytes: 256 + 16 * count,
        parse: (body) => exactly(count, joined(readJson(digits, body))),
    }
}

/** Most values of one answer, and most blocks of four hexadecimal digits of a value. */
const anuValues = 1024
const anuBlocks = 10

function anuRequest({ type }: AnuSettings): QrngRequest {
    const isHex = type === "hex16"
    const count = isHex ? anuValues * anuBlocks * 2 : anuValues
    return {
        path: `/?length=${anuValues}&type=${type}${isHex ? `&size=${anuBlocks}` : ""}`,
        maxBytes: 1024 + 8 * count,
        parse: (body) => {
            const { success, message } = readJson(anuVerdict, body)
            if (!success) throw new Error(`it says that it has failed${said(message)}`)
            return exactly(count, isHex ? joined(readJson(anuHex, body).data) : anuBytes(body))
        },
    }
}

const anuVerdict = z.object({ success: z.boolean(), message: z.string().optional() })
const anuHex = z.object({ data: z.array(z.string().regex(new RegExp(`^[0-9a-fA-F]{${4 * anuBlocks}}$`))) })
const anuNumbers = z.object({ data: z.array(z.int().min(0).max(255)) })

function anuBytes(body: Uint8Array): Uint8Array {
    return Uint8Array.from(readJson(anuNumbers, body).data)
}

function exactly(count: number, bytes: Uint8Array): Uint8Array {
    if (bytes.length !== count) throw new Error(`it gave ${bytes.length} bytes, and ${count} were asked for`)
    return bytes
}

function joined(hex: readonly string[]): Uint8Array {
    return fromHex(hex.join("").toLowerCase())
}

function readJson<Schema extends z.ZodType>(schema: Schema, body: Uint8Array): z.output<Schema> {
    const read = schema.safeParse(parseJson(body))
    if (read.success) return read.data
    const [issue] = read.error.issues
    const where = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`
    throw new Error(`it gave what is not its format${where}`)
}

function parseJson(body: Uint8Array): unknown {
    try {
        return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as unknown
    } catch (error) {
        throw new Error("it gave what is no JSON", { cause: error })
    }
}

/** What a server wrote, as far as it is fit for a terminal. */
function said(message: string | undefined): string {
    if (message === undefined) return ""
    return `: ${message.replace(/[^ -~]/g, "?").slice(0, 120)}`
}

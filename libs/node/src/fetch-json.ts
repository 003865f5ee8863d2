/** JSON from the read side of a ledger server, parsed at the border like everything that others send. */
import { toUtf8 } from "@tallylight/crypto/bytes.js"
import type { z } from "zod"

import { fetchBytes, type FetchLimits } from "./fetch-bytes.ts"
import { UserError } from "./user-error.ts"

/** As `fetchBytes`; rejects with a {@link UserError} also where the answer is not of that shape. */
export async function fetchJson<Schema extends z.ZodType>(
    url: string,
    schema: Schema,
    limits: FetchLimits,
): Promise<z.output<Schema> | undefined> {
    const bytes = await fetchBytes(url, limits)
    if (bytes === undefined) return undefined
    const parsed = schema.safeParse(parseJson(bytes))
    if (!parsed.success) throw new UserError(`${url} is not the answer of a Tallylight ledger server`)
    return parsed.data
}

function parseJson(bytes: Uint8Array): unknown {
    try {
        return JSON.parse(toUtf8(bytes) ?? "")
    } catch (error) {
        if (error instanceof SyntaxError) return undefined
        throw error
    }
}

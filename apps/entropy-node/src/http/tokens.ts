/** Who may ask: a file that names callers by the SHA-256 of their tokens, so that reading it makes nobody a caller. */
import { createHash, timingSafeEqual } from "node:crypto"
import { fromHex, toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { loadConfig } from "@tallylight/node/config.js"
import { readIfThere } from "@tallylight/node/durable-file.js"
import { refuseReadableByOthers } from "@tallylight/node/key-files.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Random } from "@tallylight/protocol/ports/clock.js"
import { z } from "zod"
import type { Budget } from "./budget.ts"

/** The bytes of `budget` begin anew with each period. */
export const budgetSetting = z.strictObject({
    bytes: z.int().min(1),
    periodSeconds: z
        .int()
        .min(1)
        .max(366 * 86_400)
        .default(86_400),
})

const tokensFile = z.strictObject({
    tokens: z
        .array(
            z.strictObject({
                /** Who has it, as logs and metrics say it. */
                name: z
                    .string()
                    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "small letters, digits, dots and dashes")
                    // Theirs are the budgets of whoever shows no token.
                    .refine((name) => name !== "open" && name !== "socket", "open and socket are taken"),
                /** Of the token as it is sent, in hexadecimal: printf %s "$TOKEN" | sha256sum */
                sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits"),
                /** Where absent, the node's `budgets.token` holds. */
                budget: budgetSetting.optional(),
                /** Whether it may also change the node's configuration. */
                admin: z.boolean().default(false),
            }),
        )
        .min(1, "at least one token, or nobody could ask"),
})

export type Caller = {
    readonly name: string
    readonly admin: boolean
    /** Undefined where nothing is counted. */
    readonly budget: Budget | undefined
}

export type KnownToken = { readonly digest: Uint8Array; readonly caller: Caller }

export class Tokens {
    readonly #known: readonly KnownToken[]

    constructor(known: readonly KnownToken[]) {
        this.#known = known
    }

    /**
     * The caller of that token; undefined where nobody has it. Every known digest is looked at to its end, so that the
     * time says nothing of how near a guess came.
     */
    caller(token: string): Caller | undefined {
        const digest = digestOf(token)
        let found: Caller | undefined
        for (const { digest: known, caller } of this.#known) {
            if (timingSafeEqual(digest, known)) found = caller
        }
        return found
    }
}

/** Rejects with a {@link UserError} a file that is missing, wrong, or readable by others. */
export async function readTokens(file: string, fallback: Budget | undefined): Promise<KnownToken[]> {
    if ((await readIfThere(file)) === undefined)
        throw new UserError(
            `there is no file ${file}, which http.tokensFile names: write it, or correct the setting`,
        )
    const { tokens } = await loadConfig(tokensFile, file)
    await refuseReadableByOthers(file)
    for (const field of ["name", "sha256"] as const) {
        const values = tokens.map((token) => token[field])
        const twice = values.find((value, at) => values.indexOf(value) !== at)
        if (twice !== undefined) throw new UserError(`${file}: two tokens have the same ${field}, ${twice}`)
    }
    return tokens.map(({ name, sha256, budget = fallback, admin }) => ({
        digest: fromHex(sha256),
        caller: { name, admin, budget },
    }))
}

/** A new token, to be shown to its owner once, and what the file keeps of it. */
export function makeToken(random: Random): { readonly token: string; readonly sha256: string } {
    const token = toHex(random(32))
    return { token, sha256: toHex(digestOf(token)) }
}

function digestOf(token: string): Uint8Array {
    return createHash("sha256").update(utf8(token)).digest()
}

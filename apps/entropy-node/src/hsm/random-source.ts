/** Random bytes of a PKCS#11 token (C_GenerateRandom). */
import { UserError } from "@tallylight/node/user-error.js"
import { z } from "zod"

import { sourceName } from "../sources/source-name.ts"
import type { SourceDriver } from "../sources/source.ts"
import { moduleProgram } from "./module-program-url.ts"
import type { ModuleProgram } from "./module-process.ts"
import { tokenOptions } from "./token-settings.ts"
import { Token } from "./token.ts"

/** What small tokens give at a time. */
const mostBytes = 1024

export const pkcs11Settings = z.strictObject({
    kind: z.literal("pkcs11"),
    name: sourceName,
    ...tokenOptions,
    /**
     * Bits per byte. A token shows the output of its generator and never the noise, so nobody outside can assess that:
     * half of what the bytes look like.
     */
    minEntropy: z.number().positive().max(8).default(4),
})

export type Pkcs11Settings = z.output<typeof pkcs11Settings>

export function pkcs11Driver(settings: Pkcs11Settings, program?: ModuleProgram): SourceDriver {
    return {
        kind: settings.kind,
        simulated: settings.simulated,
        async open(signal) {
            signal.throwIfAborted()
            const token = await Token.open(settings, program ?? moduleProgram(), signal)
            const release = await claim(token, settings)
            return {
                facts: token.facts,
                async read(length: number, stop: AbortSignal) {
                    stop.throwIfAborted()
                    return await token.random(Math.min(length, mostBytes), stop)
                },
                close: () => token.close().finally(release),
            }
        },
    }
}

/** Sources that are open, and how their tokens name themselves. */
const claimed = new Set<{ readonly name: string; readonly device: string }>()

/** One token under two names, through whatever module, would count as two healthy sources. */
async function claim(token: Token, { name, token: label }: Pkcs11Settings): Promise<() => void> {
    const { manufacturer, model, serialNumber } = token.facts
    const mine = { name, device: JSON.stringify([manufacturer, model, serialNumber]) }
    const other = [...claimed].find((one) => one.device === mine.device && one.name !== name)
    // Not every token has a number.
    if (other !== undefined && serialNumber !== "") {
        await token.close()
        throw new UserError(
            `the token ${label} is the device of the source ${other.name} already; give each its own`,
        )
    }
    claimed.add(mine)
    return () => claimed.delete(mine)
}

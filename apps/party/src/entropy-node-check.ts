/** What `party doctor` looks at in the entropy node: that it answers, that it is the one that was meant, its health. */
import { fail, ok, warn } from "@tallylight/node/doctor.js"
import type { Check, Finding } from "@tallylight/node/doctor.js"
import { z } from "zod"
import { openChannel, requestJson } from "./entropy-node-request.ts"
import type { EntropyNodeSettings } from "./entropy-node-settings.ts"

export const statusPath = "/api/v1/status"

/** As much of the node's status as parties care for. */
const nodeStatus = z.object({
    identity: z.string(),
    simulated: z.boolean(),
    unready: z.array(z.string()),
    sources: z.array(z.object({ name: z.string(), state: z.string(), reason: z.string() })),
})

export type SeenStatus = z.output<typeof nodeStatus>

export function entropyNodeCheck(settings: EntropyNodeSettings): Check {
    const { url } = settings
    return {
        name: "entropy node",
        look: async (signal) => {
            const channel = await openChannel(settings)
            const answered = await requestJson(channel, statusPath, signal).catch((error: unknown) => {
                signal.throwIfAborted()
                return error instanceof Error ? error.message : String(error)
            })
            if (typeof answered === "string")
                return missing(settings, `nothing to draw from at ${url}: ${answered}`, "start it there")
            const { status, json } = answered
            if (status === 401 || status === 403)
                return missing(
                    settings,
                    `${url} answers ${status}`,
                    "ask its operator for a token, and give its file as entropyNode.tokenFile",
                )
            const parsed = nodeStatus.safeParse(json)
            if (status !== 200 || !parsed.success)
                return missing(
                    settings,
                    `${url}${statusPath} answers ${status}, and not as an entropy node does`,
                    "correct entropyNode.url",
                )
            return judgeStatus(settings, parsed.data)
        },
    }
}

export function judgeStatus(settings: EntropyNodeSettings, status: SeenStatus): Finding {
    const { url, identity: expected } = settings
    const { identity, simulated, unready, sources } = status
    if (identity !== expected)
        return fail(
            `${url} is node ${identity.slice(0, 64)}, and entropyNode.identity names ${expected}`,
            "nothing is drawn from it; if its operator confirms the new identity, correct the setting",
        )
    if (unready.length > 0)
        return missing(settings, `not ready: ${unready.join("; ")}`, "look at the node's sources")
    const unwell = sources.filter(({ state }) => state !== "healthy")
    if (unwell.length > 0) {
        const names = unwell.map(({ name, state, reason }) => `${name} is ${state} (${reason})`)
        return warn(`it gives bytes, and ${names.join(", ")}`, "look at the node's alarms")
    }
    const says = `healthy at ${url}, ${sources.map(({ name }) => name).join(", ")}`
    if (simulated) return warn(`${says}: simulated hardware`, "its statements say so; use it for trials only")
    return ok(says)
}

/** Whether that keeps parties from contributing is a matter of the mode. */
function missing({ mode }: EntropyNodeSettings, says: string, advice: string): Finding {
    if (mode === "required") return fail(says, `${advice}; until then elected parties stay out`)
    return warn(says, `${advice}; until then parties use the operating system alone, and say so`)
}

/** Settings and what their files hold, checked: plain data, which worker processes are sent as it is. */
import { isLoopback } from "@tallylight/node/loopback.js"
import { readCredentials } from "@tallylight/node/tls-files.js"
import type { Credentials } from "@tallylight/node/tls-files.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { HttpSettings } from "./settings.ts"
import { readTokens } from "./tokens.ts"
import type { KnownToken } from "./tokens.ts"

export type Plan = {
    readonly settings: HttpSettings
    /** Undefined where there is no tokens file. */
    readonly tokens: readonly KnownToken[] | undefined
    /** Undefined without TLS. */
    readonly credentials: Credentials | undefined
}

/** Rejects with a {@link UserError} settings under which strangers could ask, or tokens would be seen by them. */
export async function makePlan(settings: HttpSettings, now: UnixMs): Promise<Plan> {
    const { host, port, tls, socket, tokensFile, allowOpen, allowPlain, budgets } = settings
    if (port === null && tls === undefined && socket === undefined)
        throw new UserError("nobody could ask this node: set port, tls or socket")
    const reachable = !isLoopback(host) && (port !== null || tls !== undefined)
    if (reachable && tokensFile === undefined && !allowOpen)
        throw new UserError(
            `other machines can connect to ${host}: set tokensFile, so that only those ask who have a token, ` +
                "or allowOpen, if anybody may",
        )
    if (reachable && port !== null && !allowPlain)
        throw new UserError(
            `what is sent to port ${port} of ${host} crosses the network readable: set port to null and tls, ` +
                "or allowPlain, if a proxy in front of it speaks TLS",
        )
    return {
        settings,
        tokens: tokensFile === undefined ? undefined : await readTokens(tokensFile, budgets.token),
        credentials: tls === undefined ? undefined : await readCredentials(tls, now),
    }
}

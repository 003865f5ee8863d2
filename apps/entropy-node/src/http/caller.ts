/**
 * Who asks, before anything is done for them.
 *
 * A web page on any site can make its reader's browser send requests to 127.0.0.1, and by binding its own name to that
 * address (DNS rebinding) it can read the answers too. On loopback, a request is therefore answered only under a name
 * that nobody else can own: the Host header is localhost, a loopback address or a configured name. No answer carries
 * CORS headers, so that another site's page never reads one, and whatever changes something or hands out raw bytes
 * takes JSON, which a page cannot send without being allowed to.
 */
import type { IncomingHttpHeaders } from "node:http"
import { isLoopback } from "@tallylight/node/loopback.js"
import type { Budget } from "./budget.ts"
import { Problem } from "./problem.ts"
import type { HttpSettings } from "./settings.ts"
import type { Caller, Tokens } from "./tokens.ts"

/** By which way a request came. */
export type Door = "http" | "https" | "socket"

export type Admission = Pick<HttpSettings, "host" | "hostNames" | "allowOpen"> & {
    /** Undefined where there is no tokens file. */
    readonly tokens: Tokens | undefined
    readonly openBudget: Budget | undefined
}

/** Throws a {@link Problem} `wrong-host`. */
export function checkHost(headers: IncomingHttpHeaders, door: Door, admission: Admission): void {
    // No browser reaches a Unix socket.
    if (door === "socket" || !isLoopback(admission.host)) return
    const name = hostName(headers)
    if (isLoopback(name) || admission.hostNames.includes(name)) return
    throw new Problem(
        "wrong-host",
        "this node listens on loopback, and answers to localhost and loopback addresses; other names are for " +
            "its setting hostNames",
    )
}

/** Throws a {@link Problem} `unauthorized` where a token is wrong, or missing and needed. */
export function callerOf(headers: IncomingHttpHeaders, door: Door, admission: Admission): Caller {
    const { tokens, allowOpen, openBudget } = admission
    const { authorization } = headers
    if (authorization === undefined) {
        // File permissions admitted it; what strangers use up elsewhere is nothing to it.
        if (door === "socket") return { name: "socket", admin: false, budget: undefined }
        if (tokens === undefined || allowOpen) return { name: "open", admin: false, budget: openBudget }
        throw new Problem("unauthorized", "send a token, as in authorization: Bearer TOKEN")
    }
    // RFC 9110 §11.1: the scheme's name in either case, then spaces; RFC 6750 §2.1: the token.
    const [, token] = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization) ?? []
    const caller = token === undefined ? undefined : tokens?.caller(token)
    if (caller === undefined) throw new Problem("unauthorized", "nobody here has that token")
    return caller
}

/** Throws a {@link Problem} unless the caller may change the node's configuration. */
export function requireAdmin({ name, admin }: Caller): void {
    if (!admin)
        throw new Problem(
            "forbidden",
            `this takes an administrator's token, of tokensFile, and ${name} is none`,
            {},
        )
}

/** Without the port. HTTP/2 has the pseudo-header :authority in its place (RFC 9113 §8.3.1). */
function hostName(headers: IncomingHttpHeaders): string {
    const text = headers.host ?? String(headers[":authority"] ?? "")
    return text.replace(/:[0-9]*$/, "").toLowerCase()
}

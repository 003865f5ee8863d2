/** How a party reaches its entropy node, and by what it knows it. */
import { isLoopback } from "@tallylight/node/loopback.js"
import { z } from "zod"

/** `required`: without the node's bytes no contribution. `preferred`: without them the operating system's alone, and it is said. */
export type EntropyMode = "required" | "preferred"

export const entropyNodeSettings = z.strictObject({
    /** https; http on this machine; or unix: and the path of its socket. */
    url: z.string().superRefine((url, context) => {
        const problem = addressProblem(url)
        if (problem !== undefined) context.addIssue({ code: "custom", message: problem })
    }),
    /** The node's Ed25519 key, which signs what it says: a node with another key is not this one. */
    identity: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "64 small hexadecimal digits: the node prints them when it starts"),
    mode: z.enum(["required", "preferred"]).default("required"),
    /** Holds the token that the node asks for; for nobody but its owner to read. */
    tokenFile: z.string().optional(),
    /** Certificates in PEM, to be trusted instead of the public authorities: the node's own pins it. */
    caFile: z.string().optional(),
    /** For one draw. It never gets more than half of the contribution window, either. */
    timeoutMs: z.int().min(1).max(60_000).default(2000),
})

export type EntropyNodeSettings = z.output<typeof entropyNodeSettings>

/** Where requests go: over TCP, or to a socket of this machine. */
export type EntropyNodeAddress = { readonly url: URL; readonly socketPath?: string }

/** Of a URL that {@link addressProblem} finds nothing wrong with. */
export function addressOf(url: string): EntropyNodeAddress {
    if (!url.startsWith(unix)) return { url: new URL(url) }
    return { url: new URL("http://localhost"), socketPath: url.slice(unix.length) }
}

const unix = "unix:"

/** Why nobody should draw from there; undefined where all is well. What is drawn is as secret as a key. */
export function addressProblem(url: string): string | undefined {
    if (url.startsWith(unix))
        return url.startsWith(`${unix}/`)
            ? undefined
            : `“${url}” is no socket: unix: and a path from the root`
    if (!URL.canParse(url)) return `“${url}” is no address: give one such as http://127.0.0.1:7730`
    const { protocol, hostname, username, password, search, hash } = new URL(url)
    if (username + password + search + hash !== "")
        return "an entropy node's address has no user, query or fragment; a token belongs into tokenFile"
    if (protocol === "https:") return undefined
    if (protocol !== "http:") return `“${protocol}” is not spoken here: give https:, http: or unix:`
    if (isLoopback(hostname)) return undefined
    return (
        `over plain HTTP everybody on the way to ${hostname} would learn what this party contributes; ` +
        "use https://, or a node on this machine"
    )
}

/** HTTP/2 and HTTP/1.1 over TLS, whichever the client prefers (ALPN, RFC 7301). */
import type { Server } from "node:http"
import { createSecureServer } from "node:http2"
import { DEFAULT_CIPHERS } from "node:tls"
import type { Credentials } from "@tallylight/node/tls-files.js"
import { Http2Limits } from "./http2-limits.ts"
import type { Listener } from "./pipelining.ts"
import type { Serving } from "./serving.ts"

/** What is fastest of TLS 1.3 comes first: in software or hardware, AES-128 takes 10 rounds for the 14 of AES-256. */
const ciphers = ["TLS_AES_128_GCM_SHA256", ...DEFAULT_CIPHERS.split(":")]

/** Its requests are those of node:http, as Fastify has it too. */
export function secureServer(
    answer: Listener,
    credentials: Credentials,
    { limits, clock }: Pick<Serving, "limits" | "clock">,
): Server {
    const secure = createSecureServer(
        {
            ...{ ...credentials, ciphers: [...new Set(ciphers)].join(":"), allowHTTP1: true },
            ...{ settings: { maxConcurrentStreams: 32 }, handshakeTimeout: limits.requestMs },
        },
        answer as never,
    )
    new Http2Limits(limits, clock).watch(secure)
    const server: unknown = secure
    return server as Server
}

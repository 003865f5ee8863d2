/** Metrics in the format of Prometheus, on a port of their own: what loads a server helps whoever attacks it. */
import { createServer } from "node:http"
import { collectDefaultMetrics, Registry } from "prom-client"
import { systemCode, UserError } from "./user-error.ts"

export type MetricsAddress = { readonly host: string; readonly port: number }

/** With what is known of every Node process: memory, processor, delay of the event loop, garbage collection. */
export function newRegistry(): Registry {
    const registry = new Registry()
    collectDefaultMetrics({ register: registry })
    return registry
}

/** Answers GET /metrics there. Rejects with a {@link UserError} where the port cannot be had. */
export async function serveMetrics(
    registry: Registry,
    { host, port }: MetricsAddress,
): Promise<{ readonly url: string; readonly close: () => void }> {
    const server = createServer((request, response) => {
        if (request.method !== "GET" || request.url !== "/metrics") {
            response.writeHead(404).end()
            return
        }
        registry.metrics().then(
            (text) => response.writeHead(200, { "content-type": registry.contentType }).end(text),
            () => response.writeHead(500).end(),
        )
    })
    // Scrapes are small and few: whoever is slower than this is none.
    server.requestTimeout = 5000
    server.maxConnections = 16
    await new Promise<void>((resolve, reject) => {
        server.once("error", (error) => reject(unavailable(error, host, port)))
        server.listen(port, host, resolve)
    })
    const address = server.address()
    const bound = typeof address === "object" && address !== null ? address.port : port
    const close = (): void => {
        server.close()
        server.closeAllConnections()
    }
    return { url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}/metrics`, close }
}

function unavailable(error: Error, host: string, port: number): Error {
    const code = systemCode(error) ?? error.message
    return new UserError(`metrics cannot be served at port ${port} of ${host} (${code}); choose another`, {
        cause: error,
    })
}

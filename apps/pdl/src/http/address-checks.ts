/** What `pdl doctor` looks at of the address: whether the server answers there, and with which certificate. */
import { once } from "node:events"
import { connect, createServer } from "node:net"
import { fail, ok, warn } from "@tallylight/node/doctor.js"
import type { Check, Finding } from "@tallylight/node/doctor.js"
import { fetchBytes } from "@tallylight/node/fetch-bytes.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { readCredentials } from "@tallylight/node/tls-files.js"
import type { TlsFiles } from "@tallylight/node/tls-files.js"
import type { PdlConfig } from "../config.ts"

/** That the server answers where it runs, and that nobody else is in its place where it does not. */
export function addressCheck(
    { host, port, tls }: Pick<PdlConfig, "host" | "port" | "tls">,
    holder: () => Promise<number | undefined>,
): Check {
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`
    return {
        name: "address",
        look: async (signal) => {
            const pid = await holder()
            if (port === 0) return ok("a free port, chosen at each start")
            if (pid === undefined) return judgeFree(host, port)
            // The certificate is for the name that clients use, which may not be the address here.
            if (tls !== undefined) return judgeTaken(host, port, signal)
            const healthy = await fetchBytes(`${url}/healthz`, { maxBytes: 1024, timeoutMs: 10_000, signal })
            if (healthy !== undefined) return ok(`healthy at ${url}`)
            return fail(
                `process ${pid} runs, and what answers at ${url} is no ledger server`,
                "look at its log",
            )
        },
    }
}

/** What clients would be shown after the next start or SIGHUP. */
export function certificateCheck(files: TlsFiles): Check {
    return {
        name: "certificate",
        look: async () => {
            const { validTo } = await readCredentials(files, systemClock.now())
            const days = Math.floor((Date.parse(validTo) - systemClock.now()) / 86_400_000)
            const says = `${files.certFile}, until ${validTo}`
            return days < 14 ? warn(says, "renew it, and send SIGHUP to the server") : ok(says)
        },
    }
}

async function judgeTaken(host: string, port: number, signal: AbortSignal): Promise<Finding> {
    const socket = connect({ host, port })
    try {
        await once(socket, "connect", { signal })
        return ok(`port ${port} of ${host} takes connections`)
    } catch (error) {
        signal.throwIfAborted()
        const reason = error instanceof Error ? error.message : String(error)
        return fail(`port ${port} of ${host} takes no connections: ${reason}`, "look at the server's log")
    } finally {
        socket.destroy()
    }
}

async function judgeFree(host: string, port: number): Promise<Finding> {
    const server = createServer()
    try {
        server.listen({ host, port, exclusive: true })
        await once(server, "listening")
        return ok(`port ${port} of ${host} is free`)
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        return fail(
            `the server could not listen: ${reason}`,
            "stop what uses the port, or choose another with --url",
        )
    } finally {
        server.close()
    }
}

/** What `pdl doctor` looks at of the addresses: whether the server is ready there, and with which certificate. */
import { once } from "node:events"
import { createServer } from "node:net"
import type { Server } from "node:net"
import { fail, ok, warn } from "@tallylight/node/doctor.js"
import type { Check, Finding } from "@tallylight/node/doctor.js"
import { fetchBytes } from "@tallylight/node/fetch-bytes.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { readCredentials } from "@tallylight/node/tls-files.js"
import type { TlsFiles } from "@tallylight/node/tls-files.js"
import { tlsProblem } from "@tallylight/node/tls-problem.js"
import type { PdlConfig } from "../config.ts"
import { askReadiness } from "./readiness.ts"

type Address = { readonly host: string; readonly port: number }
type Holder = () => Promise<number | undefined>

/** That the server is ready where it runs, and that nobody else is in its place where it does not. */
export function addressCheck(config: Pick<PdlConfig, "host" | "port" | "tls">, holder: Holder): Check {
    return {
        name: "address",
        look: async (signal) => {
            const pid = await holder()
            if (config.port === 0) return ok(chosenLater)
            if (pid !== undefined) return judgeRunning(config, pid, signal)
            const problem = await listenProblem(config)
            return problem === undefined
                ? ok(`port ${config.port} of ${config.host} is free`)
                : fail(
                      `the server could not listen: ${problem}`,
                      "stop what uses the port, or choose another with --url",
                  )
        },
    }
}

/** The same for metrics. */
export function metricsCheck(
    { host, port, metrics }: Pick<PdlConfig, "host" | "port" | "metrics">,
    holder: Holder,
): Check {
    return {
        name: "metrics",
        look: async (signal) => {
            const pid = await holder()
            if (metrics.port === 0) return ok(chosenLater)
            if (pid !== undefined) return judgeMetrics(metrics, pid, signal)
            const problem = await listenProblem(metrics, { host, port })
            return problem === undefined
                ? ok(`port ${metrics.port} of ${metrics.host} is free`)
                : fail(
                      `metrics could not be served: ${problem}`,
                      "choose another port with --metrics, which must not be the server's own; or stop what uses it",
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

const chosenLater = "a free port, chosen at each start"

async function judgeRunning(
    config: Pick<PdlConfig, "host" | "port" | "tls">,
    pid: number,
    signal: AbortSignal,
): Promise<Finding> {
    const url = urlOf(config, config.tls === undefined ? "http" : "https")
    try {
        const said = await askReadiness(config, signal)
        if (said?.ready === true) return ok(`ready at ${url}`)
        return fail(
            said === undefined
                ? `process ${pid} runs, and what answers at ${url} is no ledger server`
                : `not ready at ${url}: ${said.reasons.join(", ")}`,
            "look at the server's log",
        )
    } catch (error) {
        signal.throwIfAborted()
        return fail(
            `process ${pid} runs, and does not answer at ${url}: ${tlsProblem(error) ?? reasonOf(error)}`,
            "look at the server's log, and whether it was started with these settings",
        )
    }
}

async function judgeMetrics(address: Address, pid: number, signal: AbortSignal): Promise<Finding> {
    const url = `${urlOf(address, "http")}/metrics`
    const advice = "start the server again with these settings"
    try {
        const page = await fetchBytes(url, { maxBytes: 16 * 1024 * 1024, timeoutMs: 10_000, signal })
        if (page !== undefined && Buffer.from(page).includes("\ntallylight_ledger_entries")) return ok(url)
        return fail(`process ${pid} runs, and what answers at ${url} is not its metrics`, advice)
    } catch (error) {
        signal.throwIfAborted()
        return fail(`process ${pid} runs, and serves no metrics: ${reasonOf(error)}`, advice)
    }
}

/** Why nobody could listen there now, nor while somebody listens at `other`. */
async function listenProblem(address: Address, other?: Address): Promise<string | undefined> {
    const beside = createServer()
    const server = createServer()
    try {
        // Whether that one can be had is another check's finding.
        if (other !== undefined) await listen(beside, other).catch(() => undefined)
        await listen(server, address)
        return undefined
    } catch (error) {
        return reasonOf(error)
    } finally {
        server.close()
        beside.close()
    }
}

async function listen(server: Server, { host, port }: Address): Promise<void> {
    server.listen({ host, port, exclusive: true })
    await once(server, "listening")
}

function urlOf({ host, port }: Address, scheme: "http" | "https"): string {
    return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`
}

function reasonOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error)
}

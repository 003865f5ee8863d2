/** How a ledger server answers others while strangers flood it with contributions that it must refuse. */
import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { availableParallelism } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { ratio } from "./measure.ts"
import type { Row } from "./measure.ts"
import type { Table } from "./report.ts"

const connections = 32
const warmUpMs = 3000
const measuredMs = 5000
const pauseMs = 5
const requiredMs = 50

/** What the server says of itself since it was last asked. */
type Told = {
    readonly delays: readonly { readonly late: number; readonly own: number }[]
    readonly refused: number
    readonly waitedMs: number
}

type Measured = {
    readonly answers: number[]
    readonly delays: Told["delays"]
    readonly refused: number
    readonly waited: number
}

export async function flood(): Promise<Table> {
    const threads = Math.max(1, availableParallelism() - 1)
    const [proofsAlone, proofs] = [await measure(0, "proof"), await measure(threads, "proof")]
    const nothing = await measure(threads, "round")
    const inThreads = `${threads} ${threads === 1 ? "thread" : "threads"}`
    const [alone, others] = [
        shown("wrong proofs, verified in the server's own thread", proofsAlone),
        shown(`wrong proofs, verified in ${inThreads}`, proofs),
    ]
    return {
        name: "flood",
        says:
            `contributions over ${connections} connections, as fast as they are read; ` +
            `/healthz, asked meanwhile from another process, shall answer within ${requiredMs} ms`,
        rows: [
            ...alone,
            ...others,
            ...shown("a wrong round, so no proof is looked at", nothing),
            ratio("delays of its own making, own thread / threads", alone[4], others[4]),
        ],
    }
}

function shown(what: string, { answers, delays, refused, waited }: Measured): Row[] {
    const [late, own] = [delays.map((delay) => delay.late), delays.map((delay) => delay.own)]
    return [
        { what: `${what}: /healthz`, unit: "ms", values: answers },
        { what: "  99th percentile", unit: "ms", values: [percentile99(answers)] },
        { what: "  event loop late", unit: "ms", values: late },
        { what: "  event loop late by its own work", unit: "ms", values: own },
        { what: "  99th percentile", unit: "ms", values: [percentile99(own)] },
        { what: "  waited for a core", unit: "%", values: [waited * 100] },
        { what: "  refused for their proofs", unit: "/s", values: [refused] },
    ]
}

function percentile99(values: readonly number[]): number {
    return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? NaN
}

async function measure(threads: number, wrong: string): Promise<Measured> {
    const server = start("flood-server.ts", String(threads))
    const { url, id } = await told<{ url: string; id: string }>(server)
    const client = start("flood-client.ts", url, id, String(connections), wrong)
    try {
        await sleep(warmUpMs)
        server.send("tell")
        const before = await told<Told>(server)
        const begun = performance.now()
        const answers = await askWhile(url, measuredMs)
        const ms = performance.now() - begun
        server.send("tell")
        const after = await told<Told>(server)
        const refused = ((after.refused - before.refused) / ms) * 1000
        return { answers, delays: after.delays, refused, waited: (after.waitedMs - before.waitedMs) / ms }
    } finally {
        client.kill()
        server.kill()
    }
}

function start(program: string, ...args: readonly string[]): ChildProcess {
    const path = fileURLToPath(new URL(program, import.meta.url))
    return fork(path, args, { execArgv: ["--conditions=source", "--import", "tsx"] })
}

async function told<T>(child: ChildProcess): Promise<T> {
    const [message] = (await once(child, "message")) as [T]
    return message
}

/** Milliseconds that each answer of the health check took. */
async function askWhile(url: string, ms: number): Promise<number[]> {
    const answers: number[] = []
    const begun = performance.now()
    while (performance.now() - begun < ms) {
        const asked = performance.now()
        const response = await fetch(`${url}/healthz`)
        await response.text()
        if (!response.ok) throw new Error(`/healthz answers ${response.status}`)
        answers.push(performance.now() - asked)
        await sleep(pauseMs)
    }
    return answers
}

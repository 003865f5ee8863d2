/** `npm run fuzz -- [target…] [--inputs N] [--seed S] [--json]`: decoders and the server, given what nobody should send. */
import { parseArgs } from "node:util"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { serveSample } from "../http/serving.ts"
import { fuzz, FuzzFailure } from "./fuzz.ts"
import type { Fuzzed } from "./fuzz.ts"
import { fuzzHttp } from "./http.ts"
import type { FuzzedHttp } from "./http.ts"
import { targets } from "./targets.ts"

const { values, positionals } = parseArgs({
    options: {
        inputs: { type: "string", default: "1000000" },
        seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
        json: { type: "boolean", default: false },
    },
    allowPositionals: true,
})
const [inputs, seed] = [Number(values.inputs), Number(values.seed)]
const names = [...targets.map(({ name }) => name), "http"]
const unknown = positionals.filter((name) => !names.includes(name))
if (unknown.length > 0 || !Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) {
    const usage = "usage: npm run fuzz -- [target…] [--inputs N] [--seed S] [--json]"
    process.stderr.write(`${usage}\ntargets: ${names.join(", ")}\n`)
    process.exit(2)
}

type Result = (Fuzzed | FuzzedHttp) & { readonly perSecond: number }

const results: Result[] = []
for (const name of names) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    const began = performance.now()
    try {
        const result = await fuzzed(name)
        const measured = {
            ...result,
            perSecond: Math.round(result.inputs / ((performance.now() - began) / 1000)),
        }
        results.push(measured)
        if (!values.json) process.stdout.write(line(measured))
    } catch (error) {
        if (!(error instanceof FuzzFailure)) throw error
        process.stderr.write(`${error.message}\n`)
        process.exit(1)
    }
}
if (values.json) process.stdout.write(`${JSON.stringify({ seed, results })}\n`)

async function fuzzed(name: string): Promise<Fuzzed | FuzzedHttp> {
    const onProgress = (judged: number): void => show(name, judged)
    const target = targets.find((one) => one.name === name)
    if (target !== undefined) return fuzz(target, { seed, inputs, onProgress })
    const server = await serveSample(sampleLedger(), { limits: { httpRequestsPerSecond: 1_000_000 } })
    try {
        // Each takes a connection of its own, and a thousand times as long as bytes to a decoder.
        return await fuzzHttp(server, { seed, inputs: Math.ceil(inputs / 100), onProgress })
    } finally {
        await server.close()
    }
}

function show(name: string, judged: number): void {
    if (process.stderr.isTTY) process.stderr.write(`\r${name} ${judged}\r`)
}

function line(result: Result): string {
    const outcome =
        "taken" in result ? `${result.taken} taken` : `statuses ${JSON.stringify(result.statuses)}`
    const speed = `${result.perSecond}/s, seed ${seed}`
    return `${result.target.padEnd(14)} ${result.inputs} inputs, ${outcome}, no promise broken (${speed})\n`
}

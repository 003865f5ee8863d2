/** `npm run fuzz -- [target…] [--inputs N] [--seed S] [--json]`: the decoders under inputs that nobody should send. */
import { parseArgs } from "node:util"
import { fuzz, FuzzFailure } from "./fuzz.ts"
import type { Fuzzed } from "./fuzz.ts"
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
const unknown = positionals.filter((name) => !targets.some((target) => target.name === name))
if (unknown.length > 0 || !Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) {
    const names = targets.map(({ name }) => name).join(", ")
    process.stderr.write(
        `usage: npm run fuzz -- [target…] [--inputs N] [--seed S] [--json]\ntargets: ${names}\n`,
    )
    process.exit(2)
}

const results: (Fuzzed & { readonly perSecond: number })[] = []
for (const target of targets) {
    if (positionals.length > 0 && !positionals.includes(target.name)) continue
    const began = performance.now()
    try {
        const result = fuzz(target, { seed, inputs, onProgress: (judged) => show(target.name, judged) })
        const perSecond = Math.round(inputs / ((performance.now() - began) / 1000))
        results.push({ ...result, perSecond })
        if (!values.json) process.stdout.write(line(result, perSecond))
    } catch (error) {
        if (!(error instanceof FuzzFailure)) throw error
        process.stderr.write(`${error.message}\n`)
        process.exit(1)
    }
}
if (values.json) process.stdout.write(`${JSON.stringify({ seed, results })}\n`)

function show(name: string, judged: number): void {
    if (process.stderr.isTTY) process.stderr.write(`\r${name} ${judged}\r`)
}

function line({ target, inputs: count, taken }: Fuzzed, perSecond: number): string {
    return `${target.padEnd(14)} ${count} inputs, ${taken} taken, no promise broken (${perSecond}/s, seed ${seed})\n`
}

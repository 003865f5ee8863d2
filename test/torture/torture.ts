/** `npm run torture -- [part…] [--minutes N] [--seed S] [--json]`. README.md says what is done and how to read it. */
import { parseArgs } from "node:util"
import { machineText, thisMachine } from "../../bench/report.ts"
import type { Result } from "./part.ts"
import { parts } from "./parts.ts"

type Finished = Result & { readonly name: string; readonly says: string; readonly seconds: number }

const { values, positionals } = parseArgs({
    options: {
        minutes: { type: "string", default: "5" },
        seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 30)) },
        json: { type: "boolean", default: false },
    },
    allowPositionals: true,
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
const unknown = positionals.filter((name) => !Object.hasOwn(parts, name))
if (unknown.length > 0 || !(minutes > 0) || !Number.isSafeInteger(seed) || seed < 0) {
    const names = Object.keys(parts).join(", ")
    process.stderr.write(
        `usage: npm run torture -- [part…] [--minutes N] [--seed S] [--json]\nparts: ${names}\n`,
    )
    process.exit(2)
}

function show(name: string, news: string): void {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${name}: ${news}`.slice(0, 120))
}

function text({ name, says, seconds, rows, problems }: Finished): string {
    const width = Math.max(...rows.map(({ what }) => what.length))
    const digits = Math.max(...rows.map(({ count }) => String(count).length))
    const lines = rows.map(
        ({ what, count, unit }) =>
            `  ${what.padEnd(width)}  ${String(count).padStart(digits)}${unit === undefined ? "" : ` ${unit}`}\n`,
    )
    const end = problems.length === 0 ? "" : `  FAILED\n${problems.join("\n")}\n`
    return `\n${name} (${Math.round(seconds)} s): ${says}\n${lines.join("")}${end}`
}

const chosen = Object.entries(parts).filter(
    ([name]) => positionals.length === 0 || positionals.includes(name),
)
const end = performance.now() + minutes * 60_000
const finished: Finished[] = []
const machine = thisMachine()
if (!values.json) process.stdout.write(`seed ${seed}; ${machineText(machine)}`)
for (const [at, [name, part]] of chosen.entries()) {
    const began = performance.now()
    // What earlier parts took too much, or left over, is shared by the rest.
    const rest = chosen.slice(at).reduce((sum, [, { weight }]) => sum + weight, 0)
    const until = part.weight === 0 ? began : began + ((end - began) * part.weight) / rest
    const result = await part.run(
        seed,
        () => performance.now() >= until,
        (news) => show(name, news),
    )
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K")
    const done = { name, says: part.says, seconds: (performance.now() - began) / 1000, ...result }
    finished.push(done)
    if (!values.json) process.stdout.write(text(done))
}
const failed = finished.filter(({ problems }) => problems.length > 0).map(({ name }) => name)
if (values.json)
    process.stdout.write(`${JSON.stringify({ seed, machine, parts: finished, failed }, null, 2)}\n`)
else
    process.stdout.write(
        failed.length === 0 ? "\nsurvived\n" : `\nFAILED: ${failed.join(", ")}; seed ${seed}\n`,
    )
// What a failed part left running must not keep this one.
process.stdout.write("", () => process.exit(failed.length === 0 ? 0 : 1))

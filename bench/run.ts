/** The benchmarks: `npm run bench -- [name…] [--json]`. README.md says what each prints and how to read it. */
import { parseArgs } from "node:util"
import { append } from "./append.ts"
import { auditSample } from "./audit.ts"
import { contribution } from "./contribution.ts"
import { entropyHttp } from "./entropy-http.ts"
import { flood } from "./flood.ts"
import { neighbours } from "./neighbours.ts"
import { pulses } from "./pulses.ts"
import { machineText, tableJson, tableText, thisMachine } from "./report.ts"
import type { Table } from "./report.ts"
import { roundInMemory } from "./round-in-memory.ts"
import { roundInProcesses } from "./round-in-processes.ts"

const benchmarks: Readonly<Record<string, () => Promise<Table> | Table>> = {
    contribution,
    "round-in-memory": roundInMemory,
    "round-in-processes": roundInProcesses,
    append,
    audit: auditSample,
    flood,
    neighbours,
    "entropy-http": entropyHttp,
    pulses,
}

const { values, positionals } = parseArgs({
    options: { json: { type: "boolean", default: false } },
    allowPositionals: true,
})
const unknown = positionals.filter((name) => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) {
    process.stderr.write(
        `no benchmark ${unknown.join(", ")}; there are ${Object.keys(benchmarks).join(", ")}\n`,
    )
    process.exit(2)
}

const machine = thisMachine()
if (!values.json) process.stdout.write(machineText(machine))
const tables: Table[] = []
for (const [name, run] of Object.entries(benchmarks)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    const table = await run()
    tables.push(table)
    if (!values.json) process.stdout.write(tableText(table))
}
if (values.json)
    process.stdout.write(`${JSON.stringify({ machine, tables: tables.map(tableJson) }, null, 2)}\n`)

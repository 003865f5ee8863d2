/** What a benchmark found, as a table for people or as JSON for programs. */
import { cpus, loadavg, platform, release } from "node:os"
import { summarise } from "./measure.ts"
import type { Row } from "./measure.ts"

export type Table = {
    readonly name: string
    /** What was done, in one sentence. */
    readonly says: string
    readonly rows: readonly Row[]
}

export type Machine = {
    readonly date: string
    readonly cpu: string
    readonly cores: number
    readonly node: string
    readonly system: string
    /** Processes that wanted a core in the last minute: above zero, others were at work when this began. */
    readonly load: number
}

export function thisMachine(): Machine {
    const cores = cpus()
    return {
        date: new Date().toISOString(),
        cpu: cores[0]?.model.trim() ?? "unknown",
        cores: cores.length,
        node: process.version,
        system: `${platform()} ${release()}`,
        load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    }
}

export function machineText({ date, cpu, cores, node, system, load }: Machine): string {
    return `${date}, ${cpu}, ${cores} cores, load ${load}, Node ${node}, ${system}\n`
}

export function tableText({ name, says, rows }: Table): string {
    const lines = rows.map(({ what, unit, values }) => {
        const { median, p90, min, max } = summarise(values)
        const tail = p90 === undefined ? "" : `(p90 ${shown(p90)})`
        return [what, shown(median), shown(min), shown(max), `${unit} ${tail}`.trimEnd()] as const
    })
    const cells = [["", "median", "min", "max", ""] as const, ...lines]
    const width = (column: 0 | 1 | 2 | 3): number => Math.max(...cells.map((row) => row[column].length))
    const text = cells.map(([what, median, min, max, unit]) => {
        const numbers = [median.padStart(width(1)), min.padStart(width(2)), max.padStart(width(3))]
        return `  ${[what.padEnd(width(0)), ...numbers, unit].join("  ").trimEnd()}\n`
    })
    return `\n${name}: ${says}\n${text.join("")}`
}

/** Three digits say all that a benchmark can. */
function shown(value: number): string {
    if (value >= 100) return Number(value.toPrecision(3)).toLocaleString("en")
    return value.toPrecision(3)
}

export function tableJson({ name, says, rows }: Table) {
    return {
        name,
        says,
        rows: rows.map(({ what, unit, values }) => ({ what, unit, ...summarise(values), values })),
    }
}

/** Metrics as Prometheus reads them, and as docs/OPERATING.md names them. */
import { readFile } from "node:fs/promises"

/** Of a series, by its name and all its labels; NaN where there is none. */
export function valueOf(metrics: string, series: string): number {
    const line = metrics.split("\n").find((one) => one.startsWith(`${series} `))
    return Number(line?.slice(series.length + 1))
}

/** The metrics that the section with that heading says are worth an alarm. */
export async function documentedMetrics(heading: string): Promise<readonly string[]> {
    const text = await readFile(new URL("../../docs/OPERATING.md", import.meta.url), "utf8")
    const [, rest = ""] = text.split(`\n${heading}\n`)
    const [section = ""] = rest.split(/\n#+ /)
    return [...section.matchAll(/^\| `((?:tallylight|nodejs)_[a-z_0-9]+)/gm)].map(([, name = ""]) => name)
}

/** A part of the torture: something that is done to the software for a while, and counted. */

export type Row = { readonly what: string; readonly count: number; readonly unit?: string }

export type Result = {
    readonly rows: readonly Row[]
    /** Each says how to see it again; none, and the part is survived. */
    readonly problems: readonly string[]
}

export type Part = {
    /** In one line, what a row counts. */
    readonly says: string
    /** How the time is divided; 0 for what takes as long as it takes. */
    readonly weight: number
    /** Ends soon after `isOver` says so, and does something even where that is at once. */
    readonly run: (seed: number, isOver: () => boolean, onProgress: (news: string) => void) => Promise<Result>
}

export function message(error: unknown): string {
    if (!(error instanceof Error)) return String(error)
    return error.cause === undefined ? error.message : `${error.message}: ${message(error.cause)}`
}

export function rowsOf(counts: Iterable<readonly [string, number]>): Row[] {
    return [...counts]
        .toSorted(([one], [other]) => one.localeCompare(other))
        .map(([what, count]) => ({ what, count }))
}

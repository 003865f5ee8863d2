/**
 * Work that ends with whichever signal comes first, as by AbortSignal.any. That leaves an entry in each of its signals,
 * which Node 20 never takes out, and which nobody else can: in one that lives as long as the process they grow with
 * every call, and with 2^24 of them each further call fails.
 */

/** What `work` does. Its signal aborts with the first of `ends`, or once the work is over; then none of them knows it. */
export async function untilAny<T>(
    ends: readonly AbortSignal[],
    work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
    const over = new AbortController()
    const links = ends.map((end) => ({ end, pass: () => over.abort(end.reason) }))
    for (const { end, pass } of links) {
        if (end.aborted) pass()
        else end.addEventListener("abort", pass, { once: true })
    }
    try {
        return await work(over.signal)
    } finally {
        for (const { end, pass } of links) end.removeEventListener("abort", pass)
        over.abort()
    }
}

/** How a process is started that serves HTTP for this one. */
import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { fileURLToPath } from "node:url"

export type Program = {
    /** Of worker.ts, as the caller's own loader would find it. */
    readonly url: URL
    /** Node's options for the process; those of this one where absent. */
    readonly execArgv?: readonly string[]
}

/**
 * The bytes of answers lie outside V8's heap for a moment, and V8 counts them to what may be in its old space before all
 * of the heap is marked. At first that is little more than what is answered between two collections of young objects, so
 * the whole heap would be marked again and again, which costs a process more than making the bytes.
 */
export const heapOptions = ["--initial-old-space-size=128"]

/**
 * Of glibc, where whoever started this process set nothing else: memory that answers have freed is kept for the next
 * ones. By default it goes back to the kernel, which clears every page that it gives out again.
 */
export const memoryVariables = {
    MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 20),
    MALLOC_TRIM_THRESHOLD_: String(64 * 2 ** 20),
    MALLOC_TOP_PAD_: String(4 * 2 ** 20),
}

/** For those that are forked from now on. */
export function useProgram({ url, execArgv = process.execArgv }: Program): void {
    cluster.setupPrimary({
        ...{ exec: fileURLToPath(url), args: [], serialization: "advanced" },
        execArgv: [...heapOptions, ...execArgv],
    })
}

/** Throws where the system starts no more processes. */
export function forkWorker(): Worker {
    return cluster.fork({ ...memoryVariables, ...process.env })
}

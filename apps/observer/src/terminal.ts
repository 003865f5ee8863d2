/** Where commands print. Tests have one of their own. */
import { isatty } from "node:tty"
import pc from "picocolors"

export type Colors = Pick<typeof pc, "bold" | "dim" | "green" | "red" | "yellow">

export type Terminal = {
    /** Data, on standard output. Resolves once the system has it: a process that ends in failure drops the rest. */
    readonly out: (text: string) => Promise<void>
    /** Remarks, on standard error. */
    readonly err: (text: string) => void
    readonly colors: Colors
    /** Of standard error: one of the two may be a file where the other is a terminal. */
    readonly errColors: Colors
}

export const terminal: Terminal = {
    out: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve())),
    err: (text) => void process.stderr.write(text),
    // picocolors alone would also colour the files of a continuous integration.
    colors: pc.createColors(pc.isColorSupported && isatty(1)),
    errColors: pc.createColors(pc.isColorSupported && isatty(2)),
}

/** A process of the demonstration network: started, listened to, ended. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { createWriteStream } from "node:fs"
import { createInterface } from "node:readline"

export type DemoProcess = {
    readonly name: string
    /** Where it writes what it has to say. */
    readonly log: string
    /** Resolves with the exit code, or with the signal that ended it. */
    readonly ended: Promise<number | string>
    /** Asks it to end, insists after a while, and resolves when it is gone. */
    readonly end: () => Promise<void>
}

/** An app may take this long to close its sockets and files. */
const patienceMs = 5000

export type Listeners = {
    /** For each line of standard output. */
    readonly onLine?: (line: string) => void
    /** For each line of standard error; all of them go to the log as well. */
    readonly onErrorLine?: (line: string) => void
}

/** `args` as on the command line of `tallylight`. */
export function startProcess(
    name: string,
    args: readonly string[],
    log: string,
    { onLine = () => undefined, onErrorLine = () => undefined }: Listeners,
): DemoProcess {
    // In a group of its own, so that Ctrl-C reaches it once, from here. The channel tells it if this process dies.
    const child = spawn(process.execPath, [process.argv[1] ?? "", ...args], {
        stdio: ["ignore", "pipe", "pipe", "ipc"],
        detached: true,
    })
    if (child.stderr !== null) {
        child.stderr.pipe(createWriteStream(log, { flags: "a" }))
        createInterface({ input: child.stderr }).on("line", onErrorLine)
    }
    if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", onLine)
    const ended = new Promise<number | string>((resolve) => {
        child.once("error", (error) => resolve(error.message))
        child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"))
    })
    return { name, log, ended, end: () => end(child, ended) }
}

async function end(child: ChildProcess, ended: Promise<number | string>): Promise<void> {
    child.kill("SIGTERM")
    const insist = setTimeout(() => child.kill("SIGKILL"), patienceMs)
    await ended
    clearTimeout(insist)
}

import { spawn } from "node:child_process"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"

export type Running = {
    readonly pid: number
    /** Whole lines of standard output as they come. */
    readonly lines: AsyncIterator<string>
    /** What came on standard error so far. */
    readonly remarks: () => string
    readonly kill: (signal: NodeJS.Signals) => void
    /** As a reader such as `head` does that has seen enough. */
    readonly closeOutput: () => void
    /** The same of standard error. */
    readonly closeRemarks: () => void
    readonly ended: Promise<Ended>
}

export type Ended = {
    readonly code: number | null
    readonly signal: NodeJS.Signals | null
    readonly stdout: string
    readonly stderr: string
}

/** Starts a program of this folder from its source. */
export function run(program: string, ...args: readonly string[]): Running {
    const path = fileURLToPath(new URL(program, import.meta.url))
    return launch(["--conditions=source", "--import", "tsx", path, ...args])
}

/** Starts Node with those arguments, in the folder `cwd`. */
export function launch(args: readonly string[], cwd?: string): Running {
    const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })
    let stdout = ""
    let stderr = ""
    /** The line that is not whole yet: looking for it in all of `stdout` would cost ever more. */
    let rest = ""
    const lines: string[] = []
    let wake = (): void => undefined
    let over = false
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text
        const parts = (rest + text).split("\n")
        rest = parts.pop() ?? ""
        lines.push(...parts)
        wake()
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    const ended = new Promise<Ended>((resolve, reject) => {
        child.on("error", reject)
        child.on("close", (code, signal) => {
            over = true
            wake()
            resolve({ code, signal, stdout, stderr })
        })
    })
    async function* read(): AsyncGenerator<string, undefined> {
        for (;;) {
            const line = lines.shift()
            if (line !== undefined) yield line
            else if (over) return
            else await new Promise<void>((resolve) => (wake = resolve))
        }
    }
    return {
        pid: child.pid ?? 0,
        lines: read(),
        remarks: () => stderr,
        kill: (signal) => child.kill(signal),
        closeOutput: () => child.stdout.destroy(),
        closeRemarks: () => child.stderr.destroy(),
        ended,
    }
}

/** The next line, or what the program said instead. */
export async function nextLine({ lines, ended }: Running): Promise<string> {
    const next = await lines.next()
    if (next.done !== true) return next.value
    const { code, stderr } = await ended
    throw new Error(`ended with ${code}: ${stderr}`)
}

export async function nextLines(running: Running, count: number): Promise<string[]> {
    const lines = []
    while (lines.length < count) lines.push(await nextLine(running))
    return lines
}

/** Resolves once the program has written that to standard error. */
export async function said({ remarks, ended }: Running, text: string): Promise<void> {
    const over = ended.then(() => true)
    while (!remarks().includes(text)) {
        const isOver = await Promise.race([over, pause(50, false)])
        if (isOver && !remarks().includes(text)) throw new Error(`ended without “${text}”: ${remarks()}`)
    }
}

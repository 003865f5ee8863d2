import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { RawFile } from "@tallylight/entropy-node/core/raw-file.js"
import { RawQueue } from "@tallylight/entropy-node/core/raw-queue.js"
import { expect, test } from "vitest"
import { nextLine, run } from "../processes/run.ts"

/** Eights that a kill can lose: four readers have asked for at most 200 each when it comes. */
const mostLostInKill = 4 * 200
const kills = 6

/** The eights of the lines that begin with that word. A line that a kill cut short was never told to anybody. */
function eightsOf(stdout: string, word: string): string[] {
    const lines = stdout.split("\n").slice(0, -1)
    return lines
        .filter((line) => line.startsWith(`${word} `))
        .flatMap((line) => line.slice(word.length + 1).match(/.{16}/g) ?? [])
}

test("no byte is handed out twice, and few are lost, whenever the process is killed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tallylight-hand-out-"))
    const path = join(folder, "raw.db")
    const got: string[] = []
    const added: string[] = []
    for (let generation = 1; generation <= kills; generation += 1) {
        // Every other one dies in the moment in which a reader has its bytes.
        const dies = generation % 2 === 0
        const child = run("hand-out.ts", path, String(generation), dies ? String(10 * generation) : "-1")
        await nextLine(child)
        // Where in a commit that is, the machine's own unevenness decides.
        await pause(50 + 71 * generation)
        if (!dies) child.kill("SIGKILL")
        const { stdout, signal, stderr } = await child.ended
        expect([signal, stderr]).toEqual(["SIGKILL", ""])
        got.push(...eightsOf(stdout, "got"))
        added.push(...eightsOf(stdout, "added"))
    }
    const file = await RawFile.open(path)
    const queue = await RawQueue.open(file, { capacity: 65_536, chunk: 4096, consumption: "once" })
    const { bytes } = queue.bytes === 0 ? { bytes: new Uint8Array(0) } : await queue.take(queue.bytes)
    await file.close()
    const rest = eightsOf(`rest ${Buffer.from(bytes).toString("hex")}\n`, "rest")

    expect(got.length).toBeGreaterThan(kills * 10)
    const once = new Set([...got, ...rest])
    expect(once.size).toBe(got.length + rest.length)
    const lost = added.filter((eight) => !once.has(eight))
    expect(lost.length).toBeLessThanOrEqual(kills * mostLostInKill)
    await rm(folder, { recursive: true })
})

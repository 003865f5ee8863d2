import { access, readdir, readlink } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage

beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Round = {
    readonly chain: string
    readonly round: number
    readonly ticket: string
    readonly output: string
    readonly contributors: number
    readonly index: number
    readonly verified: boolean
}

function parse(out: string): Round[] {
    return out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Round)
}

test("the demonstration prints verified rounds and nothing else, ends with 0, and works a second time", async () => {
    const first = await stage.run("demo", "--rounds", "3", "--json")
    expect(first.code, first.stderr).toBe(0)
    const rounds = parse(first.stdout)
    expect(rounds).toHaveLength(3)
    for (const round of rounds) {
        expect(Object.keys(round)).toEqual([
            ...["chain", "round", "ticket", "output", "contributors", "index", "verified"],
        ])
        expect(round.output).toMatch(/^[0-9a-f]{128}$/)
        expect(round.ticket).toMatch(/^[0-9a-f]{64}$/)
        expect(round.verified).toBe(true)
        expect(round.contributors).toBeGreaterThan(0)
    }
    // The observer need not verify that again, and left nothing half written.
    expect((await readdir(join(stage.folder, "data/demo/observer"))).toSorted()).toEqual([
        ...["chain", "checkpoint", "lock", "lock.pid", "tallylight.json"],
    ])

    const second = await stage.run("demo", "--rounds", "1", "--json")
    expect(second.code, second.stderr).toBe(0)
    const [next] = parse(second.stdout)
    const last = rounds.at(-1)
    expect(next?.chain).toBe(last?.chain)
    expect(next?.round).toBeGreaterThan(last?.round ?? 0)
})

test("Ctrl-C ends the whole network", async () => {
    const demo = stage.start("demo", "--json")
    await nextLine(demo)
    demo.kill("SIGINT")
    const { code } = await demo.ended
    expect(code).toBe(0)
    // Its data directories are free again.
    const again = await stage.run("demo", "--rounds", "1", "--json")
    expect(again.code, again.stderr).toBe(0)
})

/** Every process whose working folder is the stage's, also such as no longer have a parent. */
async function processesHere(): Promise<number[]> {
    const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0)
    const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")))
    return pids.filter((_, at) => folders[at] === stage.folder)
}

// Each log is there as soon as the process is launched that writes it.
test.skipIf(process.platform !== "linux").each([
    ["SIGINT", "pdl"],
    ["SIGINT", "entropy-node-1-init"],
    ["a closed output", "entropy-node-1-init"],
    ["SIGINT", "entropy-node-1"],
    ["a closed output", "parties-2-init"],
] as const)("%s ends the whole network also while it is starting (%s)", async (how, log) => {
    const demo = stage.start("demo", "--json")
    const launched = join(stage.folder, "data/demo/logs", `${log}.log`)
    const isThere = () =>
        access(launched).then(
            () => true,
            () => false,
        )
    while (!(await isThere())) await pause(5)
    if (how === "SIGINT") demo.kill("SIGINT")
    else demo.closeRemarks()
    expect(await demo.ended).toMatchObject({ code: 0 })
    // Those that are told of the end of the demonstration by their channel alone need a moment.
    const deadline = Date.now() + 15_000
    while ((await processesHere()).length > 0 && Date.now() < deadline) await pause(50)
    const left = await processesHere()
    for (const pid of left) process.kill(pid, "SIGKILL")
    expect(left).toEqual([])
})

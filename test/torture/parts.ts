/** Everything that `npm run torture` does, by name. */
import { setTimeout as sleep } from "node:timers/promises"
import { runAttacks } from "../attacks/run.ts"
import { fuzz } from "../fuzz/fuzz.ts"
import { targets } from "../fuzz/targets.ts"
import { describeStorm, runStorm } from "../simulation/storm.ts"
import { runKills } from "./kills.ts"
import { message, rowsOf } from "./part.ts"
import type { Part, Result, Row } from "./part.ts"
import { RealNetwork, residentBytes } from "./real-network.ts"

const fuzzInputs = 20_000

const faults: Part = {
    says: "storms in one process, and how often what struck in them; every promise was kept",
    weight: 4,
    async run(seed, isOver, onProgress): Promise<Result> {
        const struck = new Map<string, number>()
        const totals = { storms: 0, entries: 0, beacons: 0, "void rounds": 0, "receipts kept": 0 }
        do {
            const storm = await runStorm(seed + totals.storms)
            for (const [what, count] of storm.faults) struck.set(what, (struck.get(what) ?? 0) + count)
            totals.storms += 1
            totals.entries += storm.entries
            totals.beacons += storm.beacons
            totals["void rounds"] += storm.voids
            totals["receipts kept"] += storm.receipts
            onProgress(`${totals.storms} storms, ${totals.beacons} beacons`)
            if (storm.problems.length > 0) return { rows: rowsOf(struck), problems: [describeStorm(storm)] }
        } while (!isOver())
        return { rows: [...rowsOf(Object.entries(totals)), ...rowsOf(struck)], problems: [] }
    },
}

const attacks: Part = {
    says: "attacks over real sockets that were stopped, by what stopped them",
    weight: 0,
    async run(_, __, onProgress): Promise<Result> {
        const stopped = new Map<string, number>()
        try {
            await runAttacks(({ name, stoppedBy }) => {
                stopped.set(stoppedBy, (stopped.get(stoppedBy) ?? 0) + 1)
                onProgress(name)
            })
            return { rows: rowsOf(stopped), problems: [] }
        } catch (error) {
            return { rows: rowsOf(stopped), problems: [message(error)] }
        }
    },
}

const frames: Part = {
    says: "inputs that nobody should send, by decoder; none broke a promise",
    weight: 2,
    run(seed, isOver, onProgress): Promise<Result> {
        const judged = new Map<string, number>()
        const rows = (): Row[] => rowsOf(judged)
        let round = 0
        try {
            do {
                for (const target of targets) {
                    fuzz(target, { seed: seed + round, inputs: fuzzInputs })
                    judged.set(target.name, (judged.get(target.name) ?? 0) + fuzzInputs)
                    onProgress(`${target.name}, ${judged.get(target.name) ?? 0} inputs`)
                }
                round += 1
            } while (!isOver())
            return Promise.resolve({ rows: rows(), problems: [] })
        } catch (error) {
            const again = `again with: npm run fuzz -- --seed ${seed + round} --inputs ${fuzzInputs}`
            return Promise.resolve({ rows: rows(), problems: [`${message(error)}\n${again}`] })
        }
    },
}

const kills: Part = {
    says: "processes killed with SIGKILL and started again; the ledger verifies and has what every receipt says",
    weight: 3,
    async run(seed, isOver, onProgress): Promise<Result> {
        const again = `again, as far as chance allows, with: npm run torture -- kills --seed ${seed}`
        try {
            const { killed, rounds, entries, receipts, problems } = await runKills(
                seed,
                (count) => count < 3 || !isOver(),
                (name) => onProgress(`${name} killed`),
            )
            const survived = { "kills of pdl": killed.pdl, "kills of a party": killed.party }
            const rest = { "kills of the requester": killed.requester, beacons: rounds, entries }
            const rows = rowsOf(Object.entries({ ...survived, ...rest, "receipts checked": receipts }))
            return { rows, problems: problems.map((problem) => `${problem}\n${again}`) }
        } catch (error) {
            return { rows: [], problems: [`${message(error)}\n${again}`] }
        }
    },
}

const restMs = 5000

const memory: Part = {
    says: "resident memory of a ledger server: before anything, after rounds at full speed, and after a rest",
    weight: 1,
    async run(_, isOver, onProgress): Promise<Result> {
        const plan = { parties: [2, 2], intervalSeconds: 0, windowMs: 10_000, expectedContributors: 4 }
        const network = await RealNetwork.make(plan)
        const rows: Row[] = []
        const look = async (what: string): Promise<void> => {
            const bytes = (await residentBytes(network.pdl.pid)) ?? NaN
            rows.push({ what, count: Math.round(bytes / 1024 / 1024), unit: "MB" })
        }
        try {
            await network.startServer()
            await look("at start")
            await network.start()
            do {
                await sleep(1000)
                onProgress(`${(await network.chain()).size} entries`)
            } while (!isOver())
            await look("after load")
            const { size } = await network.chain()
            await network.requester.kill("SIGTERM")
            await sleep(restMs)
            await look("after a rest")
            return { rows: [...rows, { what: "entries", count: size }], problems: [...network.deaths] }
        } catch (error) {
            return { rows, problems: [message(error)] }
        } finally {
            await network.clear()
        }
    },
}

export const parts: Readonly<Record<string, Part>> = { attacks, faults, frames, kills, memory }

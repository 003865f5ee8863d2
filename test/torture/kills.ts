/**
 * Real processes, killed with SIGKILL at moments that a seed chooses, and started again at once. Afterwards the ledger
 * must verify, every receipt that anybody wrote down must be kept, and rounds must have gone on.
 */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { readReceipts } from "@tallylight/node/promises.js"
import { begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { verifyReceipt } from "@tallylight/protocol/ledger/receipt.js"
import { Dice } from "../fuzz/dice.ts"
import { RealNetwork } from "./real-network.ts"
import type { App } from "./real-network.ts"

export type Kills = {
    readonly seed: number
    /** How often each role was killed. */
    readonly killed: Readonly<Record<"pdl" | "party" | "requester", number>>
    readonly rounds: number
    readonly entries: number
    /** Receipts in files, all of them kept by the ledger. */
    readonly receipts: number
    readonly problems: readonly string[]
}

const plan = { parties: [2, 1], intervalSeconds: 0.2, windowMs: 3000, expectedContributors: 2 }
/** A round that loses everybody twice, with windows prolonged, is over by then. */
const patienceMs = 120_000

/** Kills while `goesOn` says so, which is told how many kills there were. */
export async function runKills(
    seed: number,
    goesOn: (kills: number) => boolean,
    onKill: (name: string) => void = () => undefined,
): Promise<Kills> {
    const network = await RealNetwork.make(plan)
    const killed = { pdl: 0, party: 0, requester: 0 }
    try {
        await network.start()
        await moreBeacons(network, 1)
        const dice = new Dice(seed)
        for (let kills = 0; goesOn(kills); kills++) {
            await sleep(dice.below(2500))
            const app = dice.below(2) === 0 ? network.pdl : dice.pick(network.apps)
            await killAndStart(network, app)
            killed[roleOf(app)] += 1
            onKill(app.name)
        }
        // The last kill may have been a moment ago: a receipt that is being written is waited for.
        await moreBeacons(network, 2)
        for (const app of [network.requester, ...network.parties]) await app.kill("SIGTERM")
        const checked = await check(network)
        await network.clear()
        return { seed, killed, ...checked, problems: [...checked.problems, ...network.deaths] }
    } catch (error) {
        await network.end()
        throw new Error(`kills with seed ${seed}, what is left is in ${network.folder}`, { cause: error })
    }
}

function roleOf({ name }: App): "pdl" | "party" | "requester" {
    return name === "pdl" || name === "requester" ? name : "party"
}

async function killAndStart(network: RealNetwork, app: App): Promise<void> {
    await app.kill("SIGKILL")
    if (app === network.pdl) await network.startServer()
    else app.start()
}

async function moreBeacons(network: RealNetwork, count: number): Promise<void> {
    const { size } = await network.chain()
    await network.until(
        "beacons",
        async () => {
            const entries = await network.decoded(size)
            return entries.filter(({ kind }) => kind === "beacon").length >= count
        },
        patienceMs,
    )
}

async function check(
    network: RealNetwork,
): Promise<Pick<Kills, "rounds" | "entries" | "receipts" | "problems">> {
    const problems: string[] = []
    const { code, stdout, stderr } = await network.tallylight(
        "observer",
        "verify",
        "--url",
        network.url,
        "--json",
    )
    if (code !== 0) problems.push(`observer verify ended with ${code}: ${stdout}${stderr}`)
    const entries: Uint8Array[] = []
    for await (const bytes of network.entries()) entries.push(bytes)
    const [first] = entries
    if (first === undefined) throw new Error("the ledger is empty")
    const { chain, genesis } = begin(decodeEntry(first))
    let receipts = 0
    for (const path of await receiptFiles(network)) {
        for (const receipt of await readReceipts(path)) {
            receipts += 1
            verifyReceipt(chain, genesis.messageKey, receipt)
            const entry = entries[receipt.index]
            if (entry === undefined || !equalBytes(leafHash(entry), receipt.leaf))
                problems.push(`${path}: the ledger does not have what was promised at ${receipt.index}`)
        }
    }
    const rounds = entries.filter((bytes) => decodeEntry(bytes).kind === "beacon").length
    return { rounds, entries: entries.length, receipts, problems }
}

async function receiptFiles({ folder }: RealNetwork): Promise<string[]> {
    const files = await readdir(folder, { withFileTypes: true, recursive: true })
    return files.flatMap((file) => (file.name === "receipts.jsonl" ? [join(file.parentPath, file.name)] : []))
}

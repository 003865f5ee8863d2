/** Two chains on one ledger server, with an honest network each: what is done to one leaves the other its rounds. */
import assert from "node:assert/strict"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { findChain } from "@tallylight/node/find-chain.js"
import { Stage } from "../network/stage.ts"
import { nextLine } from "../processes/run.ts"
import { group } from "./attack.ts"
import { Follower } from "./client.ts"
import type { Stranger } from "./client.ts"
import { askForNothing, Forger, untilClosed } from "./floods.ts"

type Home = { readonly address: ChainAddress; readonly ledger: Follower }

class Neighbours {
    readonly #processes: Stage
    readonly attacked: Home
    readonly quiet: Home

    static async open(): Promise<Neighbours> {
        const processes = await Stage.make()
        try {
            // The forger on the roster of one lets each of its rounds last that long.
            const chain = { contributionWindowMs: 5000 }
            const config = JSON.stringify({ chain, limits: { helloMs: 120_000 } })
            await writeFile(join(processes.folder, "pdl.jsonc"), config)
            const pdl = ["pdl", "--config", "pdl.jsonc", "--data", "pdl"]
            for (const command of [["init"], ["add-chain", "--name", "other"]]) {
                const made = await processes.run(...pdl, ...command)
                assert.equal(made.code, 0, made.stderr)
            }
            const server = processes.start(...pdl, "--json", "--url", "http://127.0.0.1:0")
            const { url, chains } = JSON.parse(await nextLine(server)) as {
                readonly url: string
                readonly chains: readonly { readonly id: string }[]
            }
            const [attacked, quiet] = await Promise.all(chains.map(({ id }) => settle(processes, url, id)))
            assert.ok(attacked !== undefined && quiet !== undefined)
            return new Neighbours(processes, attacked, quiet)
        } catch (error) {
            await processes.clear()
            throw error
        }
    }

    private constructor(processes: Stage, attacked: Home, quiet: Home) {
        this.#processes = processes
        this.attacked = attacked
        this.quiet = quiet
    }

    /** Rounds of the quiet chain, and one of the other. */
    async goOn(): Promise<void> {
        const other = this.attacked.ledger.nextBeacon()
        for (let rounds = 0; rounds < 3; rounds++) await this.quiet.ledger.nextBeacon()
        await other
    }

    async close(): Promise<void> {
        const audits = []
        for (const { address, ledger } of [this.attacked, this.quiet]) {
            const url = new URL(address.http).origin
            audits.push(await this.#processes.run("observer", "verify", "--url", url, "--chain", address.hex))
            ledger.close()
        }
        await this.#processes.clear()
        for (const { code, stdout, stderr } of audits) assert.equal(code, 0, stdout + stderr)
    }
}

/** Honest people on that chain. */
async function settle(processes: Stage, url: string, chain: string): Promise<Home> {
    const whom = ["--url", url, "--chain", chain]
    for (const [app, ...plan] of [
        ["party", "--count", "2"],
        ["requester", "--interval", "0.5"],
    ] as const) {
        const data = ["--data", `${app}-${chain.slice(0, 8)}`]
        const made = await processes.run(app, "init", ...data)
        assert.equal(made.code, 0, made.stderr)
        processes.start(app, ...plan, ...data, ...whom)
    }
    const address = await findChain({ url, chain }, new AbortController().signal)
    return { address, ledger: await Follower.connect(address) }
}

export const neighbours = group("neighbours", "neighbours.ts", () => Neighbours.open(), [
    {
        name: "a flood of forged proofs and empty questions to one chain, while another has its rounds",
        stoppedBy: "1008",
        honest: (neighbours) => neighbours.goOn(),
        attack: async (neighbours) => {
            const { address, ledger } = neighbours.attacked
            const forger = await Forger.join(address, ledger)
            const codes = new Set<string>()
            let isOver = false
            const besiege = async (send: (stranger: Stranger) => Promise<void>): Promise<void> => {
                while (!isOver) codes.add(await untilClosed(address, send))
            }
            const sieges = Array.from({ length: 32 }, (_, at) =>
                besiege(at % 2 === 0 ? (stranger) => forger.send(stranger) : askForNothing),
            )
            await neighbours.goOn()
            isOver = true
            await Promise.all(sieges)
            await forger.leave()
            return [...codes].join()
        },
    },
])

/**
 * A network in which everything fails that may, as a seed has it, and then nothing fails any more. Whatever happened
 * in between, no promise was broken, and rounds must end with beacons again.
 */
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import { PeerRefused, Unanswered } from "@tallylight/protocol/wire/resp-error.js"
import { Dice } from "../fuzz/dice.ts"
import { Network } from "./network.ts"
import { Weather } from "./weather.ts"
import { Witness } from "./witness.ts"

export type Storm = {
    readonly seed: number
    /** What was decided, and when. */
    readonly log: readonly string[]
    /** How often each kind of fault struck. */
    readonly faults: ReadonlyMap<string, number>
    readonly entries: number
    readonly beacons: number
    readonly voids: number
    readonly receipts: number
    /** Empty if every promise was kept. */
    readonly problems: readonly string[]
}

const steps = 40

/** What the server may die of appending. */
const fatal: readonly EntryKind[] = [
    ...(["party-registration", "requester-registration", "revocation", "request", "ticket"] as const),
    ...(["contribution", "abstention", "extension", "tally", "share", "beacon", "void"] as const),
]

/** A round ends within its two windows, each prolonged thrice, and a requester asks within minutes. */
const patienceMs = 300_000

export async function runStorm(seed: number): Promise<Storm> {
    const dice = new Dice(seed)
    const network = await Network.create({
        seed: `storm ${seed}`,
        trusting: true,
        parties: 2 + dice.below(3),
        parameters: {
            expectedContributors: 1 + dice.below(3),
            minimumContributors: 1 + dice.below(2),
            contributionWindowMs: 2000 + dice.below(6000),
            decryptionWindowMs: 2000 + dice.below(6000),
            registrationRounds: 6 + dice.below(40),
            everyoneAnswers: dice.below(4) > 0,
        },
        demand: { rounds: Infinity, intervalMs: 300 + dice.below(1500) },
        ...(dice.below(2) === 0 && { committee: { threshold: 2, members: 3 } }),
    })
    return new Course(seed, network, dice).run()
}

class Course {
    readonly #seed: number
    readonly #network: Network
    readonly #dice: Dice
    readonly #weather: Weather
    readonly #witness: Witness
    readonly #log: string[] = []
    readonly #faults = new Map<string, number>()
    /** Who starts again, and when. */
    readonly #rising = new Map<string, number>()

    constructor(seed: number, network: Network, dice: Dice) {
        this.#seed = seed
        this.#network = network
        this.#dice = dice
        this.#witness = new Witness(network)
        // Dice of their own: what strikes does not change with how many frames there are.
        this.#weather = new Weather(network.clock, new Dice(~seed), (by, death) =>
            this.#struck(`${by === "server" ? "the server" : "a client"} dies ${death} a write`, by, 1000),
        )
        network.hazards = this.#weather
    }

    async run(): Promise<Storm> {
        await this.#network.start()
        for (let step = 0; step < steps && this.#witness.problems.length === 0; step++) {
            await this.#raise()
            this.#strike()
            await this.#network.run(20 + this.#dice.below(1500))
            await this.#witness.look()
        }
        if (this.#witness.problems.length === 0) await this.#calm()
        return this.#report()
    }

    async #raise(): Promise<void> {
        const network = this.#network
        const isDue = (name: string): boolean => (this.#rising.get(name) ?? 0) <= network.clock.elapsed()
        if (!network.isServing && isDue("server")) await network.startServer()
        for (const actor of network.everybody) if (isDue(actor.name)) actor.start()
    }

    #strike(): void {
        const { everybody, requester, committee, clock } = this.#network
        const actor = this.#dice.pick(everybody)
        const { name } = actor
        const ms = 100 + this.#dice.below(9000)
        const writes = this.#dice.below(6)
        const death = this.#dice.pick(["before", "after"] as const)
        const strikes: Readonly<Record<string, (what: string) => void>> = {
            "the server is killed": (what) => {
                this.#struck(what, "server", ms)
                if (this.#network.isServing) this.#network.killServer()
            },
            "a client is killed": (what) => {
                this.#struck(what, name, ms)
                actor.kill()
            },
            "the server dies at a write": () => this.#weather.dieAtAppend(this.#dice.pick(fatal), death),
            "a client dies at a write": () => this.#weather.dieAtWrite(name, writes, death),
            "a line is cut": (what) => {
                this.#struck(what, name)
                actor.cut()
            },
            "a client is cut off": (what) => {
                this.#struck(what, `${name} for ${ms} ms`)
                this.#weather.partition(name, ms)
            },
            "half of the network is cut off": (what) => {
                this.#struck(what, `for ${ms} ms`)
                for (const one of everybody)
                    if (this.#dice.below(2) === 0) this.#weather.partition(one.name, ms)
            },
            "a client reads slowly": (what) => {
                this.#struck(what, `${name} for ${ms} ms`)
                this.#weather.slowReader(name, ms)
            },
            "the server's disk is slow": (what) => {
                this.#struck(what, `for ${ms} ms`)
                this.#weather.slowDisk(ms)
            },
            "an old message comes again": (what) => this.#repeat(what),
            "strangers come and go": (what) => {
                this.#struck(what, "4")
                for (let count = 0; count < 4; count++) void this.#visit()
            },
            "a share is wrong": (what) => {
                const liar = this.#dice.pick([requester, ...committee])
                this.#struck(what, liar.name)
                liar.lies = 1
            },
            "a client's clock is set": (what) => {
                const byMs = this.#dice.below(20_000) - 10_000
                this.#struck(what, `${name} by ${byMs} ms`)
                void actor.clock.setTime(clock.now() + byMs)
            },
        }
        const what = this.#dice.pick(Object.keys(strikes))
        strikes[what]?.(what)
    }

    /** Anybody may send again what somebody has sent; where it is logged they get the receipt as well. */
    #repeat(what: string): void {
        const network = this.#network
        const requests = network.sent.flatMap(({ by, frame }) =>
            isLogged(frame) && by !== "somebody" ? [frame] : [],
        )
        if (requests.length === 0 || !network.isServing) return
        const { type, body } = this.#dice.pick(requests)
        this.#struck(what, type)
        void this.#ask(type, body)
    }

    /** A party that registers, is seen by whoever asks for a round meanwhile, and leaves without a word. */
    async #visit(): Promise<void> {
        const { random, chain } = this.#network
        const keys = { signer: seedSigner(random(32)), vrfSeed: random(32) }
        await this.#ask("ReqRegister", { role: "party", ...makePartyRegistration(chain, keys, 0) })
        await this.#ask("ReqRevoke", makeRevocation(chain, keys.signer, 1))
    }

    async #ask<R extends Logged["type"]>(type: R, body: Message<R>): Promise<void> {
        const network = this.#network
        if (!network.isServing) return
        try {
            const { receipt } = (await network.ask(type, body)) as { receipt: Receipt }
            network.receipts.push(receipt)
        } catch (error) {
            if (!(error instanceof PeerRefused || error instanceof Unanswered)) network.faults.push(error)
        }
    }

    #struck(what: string, whom: string, downMs?: number): void {
        const now = this.#network.clock.elapsed()
        if (downMs !== undefined) this.#rising.set(whom, now + downMs)
        this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1)
        this.#log.push(
            `${String(now).padStart(7)} ms  ${what}: ${whom}${downMs === undefined ? "" : ` for ${downMs} ms`}`,
        )
    }

    /** Nothing fails any more: everybody who asks for rounds gets another beacon. */
    async #calm(): Promise<void> {
        const network = this.#network
        this.#log.push(`${String(network.clock.elapsed()).padStart(7)} ms  calm`)
        this.#weather.clear()
        this.#rising.clear()
        const asking = [network.requester, ...network.committee.slice(0, 1)]
        for (const actor of [network.requester, ...network.committee]) actor.lies = 0
        await this.#raise()
        const before = asking.map(({ beacons }) => beacons.length)
        const isWell = (): boolean => asking.every(({ beacons }, at) => beacons.length > (before[at] ?? 0))
        for (let passed = 0; passed < patienceMs && !isWell(); passed += 500) {
            await network.run(500)
            await this.#witness.look()
            if (this.#witness.problems.length > 0) return
        }
        if (!isWell())
            this.#witness.problems.push(`no beacon in ${patienceMs / 1000} s in which nothing failed`)
    }

    async #report(): Promise<Storm> {
        const report = await this.#network.audit()
        const broken = report.verdicts.filter(({ verdict }) => verdict === "broken")
        return {
            seed: this.#seed,
            log: this.#log,
            faults: this.#faults,
            entries: report.verified,
            beacons: report.beacons,
            voids: report.voids,
            receipts: this.#witness.receipts,
            problems: [
                ...this.#witness.problems,
                ...broken.map(
                    ({ rule, first }) => `audit: ${rule}: ${first?.code ?? ""} at ${first?.index ?? -1}`,
                ),
            ],
        }
    }
}

const logged = ["ReqContribution", "ReqAbstention", "ReqRegister", "ReqRevoke", "ReqGenTick"] as const

type Logged = Extract<Frame, { type: (typeof logged)[number] }>

function isLogged(frame: Frame): frame is Logged {
    return logged.some((type) => type === frame.type)
}

/** For whoever has to find out why. */
export function describeStorm({ seed, log, problems }: Storm): string {
    return [
        `storm ${seed}: ${problems.join("; ")}`,
        ...log,
        `again with: npm run torture -- faults --seed ${seed}`,
    ].join("\n")
}

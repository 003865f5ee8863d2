import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Line } from "@tallylight/protocol/ports/channel-pair.js"
import type { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import type { BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import { Replica } from "@tallylight/protocol/session/replica.js"
import { openSession } from "@tallylight/protocol/session/session.js"
import type { Session, SessionOptions } from "@tallylight/protocol/session/session.js"
import { LedgerTime } from "@tallylight/protocol/session/skew.js"
import type { Skew } from "@tallylight/protocol/session/skew.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { Life } from "./life.ts"
import type { Network } from "./network.ts"

export const requestTimeoutMs = 5000
const reconnectMs = 250

export type Links = Partial<
    Pick<SessionOptions, "role" | "signer" | "handlers" | "onOpen" | "onSteps" | "onVerdict">
>

/** Somebody who follows the ledger, and connects again when the connection is gone. */
export class Actor {
    readonly name: string
    readonly clock: ManualClock
    /** What it was told of its clock and the ledger's. */
    readonly skews: Skew[] = []
    protected readonly network: Network
    readonly #proves: (entry: Entry) => boolean
    #life: Life | undefined
    #line: Line | undefined
    /** On its disk: the ledger as it last acted on it, and the receipts that it was given. */
    #seen: { readonly size: number; readonly root: Uint8Array } | undefined
    readonly #receipts: Receipt[] = []

    constructor(network: Network, name: string, proves: (entry: Entry) => boolean) {
        this.network = network
        this.clock = network.clock.ofAnotherMachine()
        this.name = name
        this.#proves = proves
    }

    get isAlive(): boolean {
        return this.#life?.isOver === false
    }

    /** Of the process that runs, or ran last. */
    get replica(): Replica | undefined {
        return this.#life?.replica
    }

    get state(): ChainState | undefined {
        return this.replica?.state
    }

    /** A process over what the last one left behind. */
    start(): void {
        if (this.isAlive) return
        const { chain } = this.network
        const seen = this.#seen
        const replica = new Replica({ chain, proves: this.#proves, ...(seen && { seen }) })
        const atWrite = (): "before" | "after" | undefined => this.network.hazards?.atWrite(this.name)
        const life = new Life({ chain, replica, receipts: this.#receipts, atWrite })
        life.signal.addEventListener("abort", () => this.#line?.cut(), { once: true })
        this.#life = life
        this.#follow(life).catch((error: unknown) => this.fault(life, error))
    }

    /** As kill -9 does. */
    kill(): void {
        this.#life?.end()
    }

    restart(): void {
        this.kill()
        this.start()
    }

    /** The connection is lost, and neither side was told before. */
    cut(): void {
        this.#line?.cut()
    }

    /** Loses what it knew of the ledger, but not its other notes. */
    forgetLedger(): void {
        this.#seen = undefined
    }

    /** What a new process does in its sessions. */
    protected links(_life: Life): Links {
        return {}
    }

    /** The process must not go on, and says why. */
    protected fault(life: Life, error: unknown): void {
        if (!life.isOver) this.network.faults.push(error)
    }

    protected keep(life: Life, receipt: Receipt): void {
        this.network.receipts.push(receipt)
        void life.durably(() => void this.#receipts.push(receipt))
    }

    protected events(life: Life) {
        return {
            onBrokenPromise: (broken: BrokenPromise) => this.network.broken.push(broken),
            beforeActing: () => life.durably(() => void (this.#seen = life.replica.checkpoint)),
            onFault: (error: unknown) => this.fault(life, error),
        }
    }

    async #follow(life: Life): Promise<void> {
        const links = this.links(life)
        const time = new LedgerTime(this.clock, (skew) => this.skews.push(skew))
        void this.#watchClock(time, life.signal)
        while (!life.isOver) {
            const session = await this.#connect(life, links, time)
            if (session === undefined) await this.clock.sleep(reconnectMs, life.signal).catch(() => undefined)
            else {
                const { breach } = await session.ended
                if (breach !== undefined) throw breach
            }
        }
    }

    async #watchClock(time: LedgerTime, life: AbortSignal): Promise<void> {
        while (!life.aborted) {
            await this.clock.sleep(1000, life).catch(() => undefined)
            time.look()
        }
    }

    async #connect(life: Life, links: Links, time: LedgerTime): Promise<Session | undefined> {
        const { network } = this
        const dialled = network.dial(this.name)
        if (dialled === undefined) return undefined
        const [channel, line] = dialled
        this.#line = line
        try {
            return await openSession({
                role: "observer",
                ...links,
                onOpen: (session) => {
                    time.greeted(session)
                    links.onOpen?.(session)
                },
                onSteps: (steps, session) => {
                    for (const { entry } of steps.slice(-1)) time.dated(entry.time)
                    links.onSteps?.(steps, session)
                },
                ...{ channel, chain: network.chain, replica: life.replica, clock: this.clock },
                ...{ random: network.random, requestTimeoutMs },
                onFault: (error) => this.fault(life, error),
            })
        } catch (error) {
            // A ledger that is shorter than the one that was seen is no reason to try again.
            if (error instanceof Refusal || (error instanceof PeerRefused && error.action !== "wait"))
                throw error
            return undefined
        }
    }
}

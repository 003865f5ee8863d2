/** What parties and requesters have in common: a chain that they stick to, and a ledger that they follow. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { Replica } from "@tallylight/protocol/session/replica.js"
import { ReceiptBook, type BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Session, SessionOptions } from "@tallylight/protocol/session/session.js"
import { LedgerTime, type Skew } from "@tallylight/protocol/session/skew.js"

import { retry } from "./backoff.ts"
import type { DataDir } from "./data-dir.ts"
import { fileNotebook } from "./file-notebook.ts"
import { findChain, type ChainAddress } from "./find-chain.ts"
import { followLedger } from "./ledger-link.ts"
import type { Logger } from "./logger.ts"
import { fileEvidence, readReceipts } from "./promises.ts"
import { SeenLedger } from "./seen-ledger.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { accuse, fileTwoHistories, lookAgain } from "./two-histories.ts"

export type FollowerOptions = {
    readonly url: string
    readonly chain: string | undefined
    /** Where it keeps what it saw; who has none starts from the ledger's beginning every time. */
    readonly dir: DataDir | undefined
    readonly log: Logger
    readonly stop: AbortSignal
    /** Whether the proofs of this entry are checked here. */
    readonly proves: (entry: Entry) => boolean
    readonly onEntry?: (index: number, size: number) => void
}

export type FollowerEvents = Pick<
    SessionOptions,
    "role" | "signer" | "handlers" | "onSteps" | "onVerdict"
> & { readonly onSession: (session: Session) => void }

/** How soon a clock of this machine that was set is noticed where the ledger is silent. */
const lookAtClockMs = 60_000

export class Follower {
    readonly address: ChainAddress
    readonly replica: Replica
    readonly receipts: ReceiptBook
    readonly #options: FollowerOptions
    readonly #seen: SeenLedger
    /** As it was stored when this process started. */
    readonly #before: Awaited<ReturnType<SeenLedger["checkpoint"]>>
    readonly #time: LedgerTime
    readonly #end = new AbortController()
    #failure: Error | undefined
    #session: Session | undefined

    /** Waits for the server, says so, and holds it to the chain that this data directory belongs to. */
    static async start(options: FollowerOptions): Promise<Follower> {
        const { url, chain, stop, log, dir } = options
        const onWait = (error: unknown, ms: number): void => sayWaiting(log, error, ms)
        const waiting = { baseMs: 250, maxMs: 10_000, clock: systemClock, random: systemRandom }
        const address = await retry(() => findChain(url, chain, stop), { ...waiting, signal: stop, onWait })
        const seen = new SeenLedger(dir === undefined ? new MemoryNotebook() : fileNotebook(dir.path))
        const { hex, name } = address
        if ((await seen.pin(address.id)) && dir !== undefined)
            log.info(
                { chain: hex, chainName: name },
                "first use: this directory belongs to that chain from now on",
            )
        return new Follower(options, address, seen, await seen.checkpoint())
    }

    private constructor(
        options: FollowerOptions,
        address: ChainAddress,
        seenLedger: SeenLedger,
        seen: Awaited<ReturnType<SeenLedger["checkpoint"]>>,
    ) {
        this.#options = options
        this.address = address
        this.#seen = seenLedger
        this.#before = seen
        this.receipts = new ReceiptBook(address.id)
        this.#time = new LedgerTime(systemClock, (skew) => saySkew(options.log, skew))
        const { proves, onEntry } = options
        const optional = { ...(seen && { seen }), ...(onEntry && { onEntry }) }
        this.replica = new Replica({ chain: address.id, proves, ...optional })
    }

    /** Makes the ledger as it was seen durable; to be awaited before anything is sent that rests on it. */
    async remember(): Promise<void> {
        const { checkpoint, note } = this.replica
        if (checkpoint !== undefined) await this.#seen.see(checkpoint.size, note)
    }

    /** Ends `run`, with an error or without. */
    end(failure?: unknown): void {
        if (failure !== undefined)
            this.#failure ??=
                failure instanceof Error
                    ? failure
                    : new Error("a failure that is no Error", { cause: failure })
        this.#end.abort()
    }

    /** Receipts of earlier processes, which the replay of the ledger is going to be held to. */
    async expectReceipts(path: string): Promise<void> {
        for (const receipt of await readReceipts(path)) this.receipts.expect(receipt)
    }

    /** The server broke its word: the evidence is written, and nothing is sent to it any more. */
    convict(broken: BrokenPromise): void {
        this.#gatherEvidence(broken).then(
            (error) => this.end(error),
            (error: unknown) => this.end(error),
        )
    }

    async #gatherEvidence(broken: BrokenPromise): Promise<Error> {
        const name = `evidence-${broken.receipt.index}.json`
        const path = this.#options.dir?.file(name) ?? name
        const { state, note: checkpoint } = this.replica
        if (state === undefined) throw new Error("a promise is broken only by a ledger")
        const asked = { index: broken.receipt.index, size: state.range.size }
        // The server may well refuse to prove its own guilt; the log does it all the same.
        const proved = await this.#session?.peer.request("ReqProof", asked).catch(() => undefined)
        const { genesis, chain } = state
        return fileEvidence(path, broken, { genesis, chain, checkpoint, inclusion: proved?.proof })
    }

    /** Until the app is stopped or ended. */
    async run(events: FollowerEvents): Promise<void> {
        const { log, stop } = this.#options
        const both = AbortSignal.any([stop, this.#end.signal])
        void this.#watchClock(both)
        await followLedger({
            ...events,
            ...{ address: this.address, replica: this.replica, stop: both },
            ...{ clock: systemClock, random: systemRandom },
            onSession: (session) => {
                this.#session = session
                log.info({ url: this.address.http }, "connected")
                this.#time.greeted(session)
                events.onSession(session)
            },
            onSteps: (steps, session) => {
                const last = steps.at(-1)
                if (last !== undefined) this.#time.dated(last.entry.time)
                events.onSteps(steps, session)
            },
            onWait: (error, ms) => sayWaiting(log, error, ms),
            onGone: (reason) => log.warn({ reason }, "the ledger server is gone; connecting again"),
            onFault: (error) => this.end(error),
        }).catch(async (error: unknown) => {
            throw error instanceof Error ? await this.#accuse(error) : error
        })
        if (this.#failure !== undefined) throw this.#failure
    }

    /** The error to end with: the failure itself, unless it is that the server contradicts what it signed before. */
    async #accuse(failure: Error): Promise<Error> {
        const { replica, address } = this
        const first = replica.contradiction
        const size = replica.checkpoint?.size ?? 0
        const before =
            this.#before !== undefined && this.#before.size >= size ? this.#before.note : replica.note
        if (first === undefined || before === "") return failure
        const proved =
            first.proof === undefined
                ? await lookAgain(address, [before, first.note], this.#options.stop)
                : undefined
        const { dir } = this.#options
        const name = `evidence-fork-${Math.max(size, this.#before?.size ?? 0)}.json`
        const filed = await fileTwoHistories(
            dir?.file(name) ?? name,
            proved?.before ?? before,
            proved?.now ?? first,
        )
        return accuse(filed, address.http, failure)
    }

    async #watchClock(signal: AbortSignal): Promise<void> {
        for (;;) {
            await systemClock.sleep(lookAtClockMs, signal).catch(() => undefined)
            if (signal.aborted) return
            this.#time.look()
        }
    }
}

function saySkew(log: Logger, { aheadMs, moved, isOff }: Skew): void {
    const ms = Math.abs(aheadMs)
    if (!isOff) return log.info({ ms }, "this machine's clock and the ledger server's agree again")
    const direction = aheadMs > 0 ? "behind" : "ahead of"
    const news = {
        neither: `this machine's clock is ${direction} the ledger server's; deadlines are the server's`,
        machine: `this machine's clock was set or stopped, and is ${direction} the ledger server's; deadlines are the server's`,
        ledger: "the ledger server's clock went ahead: it dates entries in the future",
    }[moved]
    log.warn({ ms }, news)
}

function sayWaiting(log: Logger, error: unknown, ms: number): void {
    const reason = error instanceof Error ? error.message : String(error)
    log.warn(`waiting for the ledger server: ${reason}; trying again in ${Math.ceil(ms / 100) / 10} s`)
}

export function shortName(identity: Uint8Array): string {
    return toHex(identity).slice(0, 12)
}

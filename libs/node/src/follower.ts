/** What parties and requesters have in common: a chain that they stick to, and a ledger that they follow. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import { Replica, type Contradiction } from "@tallylight/protocol/session/replica.js"
import { ReceiptBook, type BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Session, SessionOptions } from "@tallylight/protocol/session/session.js"
import { LedgerTime, type Skew } from "@tallylight/protocol/session/skew.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"

import { retry } from "./backoff.ts"
import type { ChainAddress } from "./chain-address.ts"
import { fetchGenesis, verifierKeyOf } from "./chain-identity.ts"
import type { DataDir } from "./data-dir.ts"
import { fileNotebook } from "./file-notebook.ts"
import { findChain, NoSuchChain } from "./find-chain.ts"
import { followLedger } from "./ledger-link.ts"
import { isLoopback } from "./loopback.ts"
import type { Logger } from "./logger.ts"
import { fileEvidence, readReceipts } from "./promises.ts"
import { SeenLedger } from "./seen-ledger.ts"
import type { ServerSettings } from "./server-settings.ts"
import { systemClock } from "./system-clock.ts"
import { UserError } from "./user-error.ts"
import { systemRandom } from "./system-random.ts"
import { accuse, fileTwoHistories, invite, lookAgain } from "./two-histories.ts"

export type FollowerOptions = {
    readonly server: ServerSettings
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
        const { server, stop, log, dir } = options
        const onWait = (error: unknown, ms: number): void => sayWaiting(log, error, ms)
        const waiting = { baseMs: 250, maxMs: 10_000, clock: systemClock, random: systemRandom }
        warnOfPlain(log, server.url)
        const seen = new SeenLedger(dir === undefined ? new MemoryNotebook() : fileNotebook(dir.path))
        const known = await seen.chain()
        // A server that has got more chains meanwhile is not asked which is meant.
        const sought = { ...server, chain: server.chain ?? (known && toHex(known)) }
        const address = await retry(
            async () => {
                const found = await findChain(sought, stop).catch((error: unknown) => {
                    throw error instanceof NoSuchChain && server.chain === undefined && known !== undefined
                        ? strangeServer(error, known)
                        : error
                })
                // Shown before it is written down: a first start that was stopped meanwhile says it again.
                if (known === undefined) sayFirstContact(log, found, await fetchGenesis(found, stop), options)
                return found
            },
            { ...waiting, signal: stop, onWait },
        )
        await seen.pin(address.id)
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
        await untilAny([stop, this.#end.signal], (over) => {
            void this.#watchClock(over)
            return followLedger({
                ...events,
                ...{ address: this.address, replica: this.replica, stop: over },
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
            })
        }).catch(async (error: unknown) => {
            throw error instanceof Error ? await this.#accuse(error) : error
        })
        if (this.#failure !== undefined) throw this.#failure
    }

    /**
     * The error to end with. Whatever the server did that its ledger forbids, it is asked whether it did so because it
     * contradicts what it signed before.
     */
    async #accuse(failure: Error): Promise<Error> {
        const { replica } = this
        const size = replica.checkpoint?.size ?? 0
        const before =
            this.#before !== undefined && this.#before.size >= size ? this.#before.note : replica.note
        const isBreach = replica.contradiction !== undefined || failure.cause instanceof Refusal
        if (!isBreach || before === "") return failure
        const largest = Math.max(size, this.#before?.size ?? 0)
        return this.#fileFork(largest, before, replica.contradiction, failure)
    }

    /**
     * Holds the server to a checkpoint that it signed elsewhere than in its events. Where that contradicts them, the
     * evidence is written, and the app ends.
     */
    compare(note: string): void {
        const { checkpoint, note: own } = this.replica
        const now = this.replica.contradictedBy(note)
        if (checkpoint === undefined || now === undefined) return
        this.#fileFork(checkpoint.size, own, now, new Refusal("forked", { size: checkpoint.size })).then(
            (error) => this.end(error),
            (error: unknown) => this.end(error),
        )
    }

    async #fileFork(
        size: number,
        before: string,
        now: Contradiction | undefined,
        failure: Error,
    ): Promise<Error> {
        const { dir, stop } = this.#options
        const notes = now === undefined ? [before] : [before, now.note]
        const again = now?.proof === undefined ? await lookAgain(this.address, notes, stop) : undefined
        const found = again?.found ?? (now && { before, now })
        if (found === undefined) return failure
        if (again?.isOneHistory === true) return invite(this.address, failure)
        const name = `evidence-fork-${size}.json`
        const filed = await fileTwoHistories(dir?.file(name) ?? name, found.before, found.now)
        return accuse(filed, this.address.http, failure)
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

/** Only a warning: everything is public, and what is signed and chained cannot be changed on the way. */
function warnOfPlain(log: Logger, url: string): void {
    const { protocol, hostname } = URL.canParse(url) ? new URL(url) : {}
    if ((protocol === "http:" || protocol === "ws:") && hostname !== undefined && !isLoopback(hostname))
        log.warn({ url }, "plain HTTP: whoever is on the way can hold messages back; https hinders that")
}

function strangeServer({ message }: NoSuchChain, known: Uint8Array): UserError {
    return new UserError(
        `${message}, to which this data directory belongs; compare ${shortName(known)}… with what the operator ` +
            `publishes, correct --url, or use another --data for another chain`,
    )
}

/** What is believed from now on, for a person to compare; by whoever gave the id it was believed before. */
function sayFirstContact(
    log: Logger,
    { hex, name }: ChainAddress,
    genesis: Genesis,
    { dir, server }: FollowerOptions,
): void {
    const fields = { chain: hex, chainName: name, ledgerKey: verifierKeyOf(genesis) }
    const kept = dir === undefined ? "" : `; kept in ${dir.file("chain")}`
    if (server.chain !== undefined || server.ledgerKey !== undefined)
        log.info(fields, `first contact with the chain that was asked for${kept}`)
    else
        log.warn(
            fields,
            "first contact: trusting this chain and its ledger key, because the server says so; " +
                `compare them with what its operator publishes${kept}`,
        )
}

function sayWaiting(log: Logger, error: unknown, ms: number): void {
    const reason = error instanceof Error ? error.message : String(error)
    log.warn(`waiting for the ledger server: ${reason}; trying again in ${Math.ceil(ms / 100) / 10} s`)
}

export function shortName(identity: Uint8Array): string {
    return toHex(identity).slice(0, 12)
}

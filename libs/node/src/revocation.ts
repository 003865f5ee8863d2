/**
 * `revoke` of parties, requesters and entropy nodes: whoever has the key of a registration ends it for good. It counts as
 * done only once the verified ledger shows it.
 */
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"

import { toHex } from "@tallylight/crypto/bytes.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf, type ChainState, type Name } from "@tallylight/protocol/ledger/state.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import type { Command } from "commander"

import { retry } from "./backoff.ts"
import type { CommonOptions } from "./cli.ts"
import { openDataDir, type DataDir, type DataRole } from "./data-dir.ts"
import { fileNotebook } from "./file-notebook.ts"
import { findChain } from "./find-chain.ts"
import { Follower } from "./follower.ts"
import { makeLogger, type Logger } from "./logger.ts"
import { FolderInUse } from "./process-lock.ts"
import { fileReceipt } from "./promises.ts"
import { SeenLedger } from "./seen-ledger.ts"
import type { ServerSettings } from "./server-settings.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { UserError } from "./user-error.ts"

export type RevokeOptions = CommonOptions & { readonly yes?: true; readonly json?: true }

/** A registration that is to end, and where the receipts of its identity are kept, if anywhere. */
export type Revocable = { readonly signer: Signer; readonly receipts: string | undefined }

export type Revocations = {
    readonly role: DataRole
    readonly all: readonly Revocable[]
    readonly server: ServerSettings
    /** Where the app keeps what it saw of that chain; undefined where it saw nothing. */
    readonly dir: DataDir | undefined
    /** What it means, in lines for whoever is about to do it. */
    readonly meaning: string
}

export type Terminal = { readonly input: Readable & { readonly isTTY?: boolean }; readonly output: Writable }

const systemTerminal: Terminal = { input: process.stdin, output: process.stderr }

/** Who is registered decides whether there is something to end, and a revocation says that there is not. */
const proved: ReadonlySet<EntryKind> = new Set([
    ...(["genesis", "party-registration", "requester-registration"] as const),
    ...(["node-registration", "revocation"] as const),
])

/** The highest number of all: a thief who renews the registration meanwhile would make any lower one stale. */
const lastSequence = Number.MAX_SAFE_INTEGER

/** Before a server that is busy or gone is asked again. */
const pause = { baseMs: 250, maxMs: 5000 }

/** How much of an identity is typed: enough to have looked at it. */
const typedDigits = 8

/** Ends the command with wrong usage where nobody can be asked and nothing says that nobody need be. */
export function requireConsent(command: Command, { yes }: RevokeOptions, { input } = systemTerminal): void {
    if (yes || input.isTTY === true) return
    command.error("error: a revocation cannot be undone, and there is no terminal to ask at; add --yes")
}

/** Does the work while no app can run on that data directory, which must be there. */
export async function inStoppedDir(
    path: string,
    role: DataRole,
    work: (dir: DataDir) => Promise<void>,
): Promise<void> {
    const dir = await openDataDir({ path, named: true, role }).catch((error: unknown) => {
        if (!(error instanceof FolderInUse)) throw error
        throw new UserError(`${error.message}; stop that first, and revoke then`, { cause: error })
    })
    await work(dir).finally(() => dir.release())
}

/**
 * Revokes one registration after the other, and prints a line for each. Rejects with a {@link UserError} before the first
 * where one of them is not registered on that chain.
 */
export async function revoke(
    { role, all, server, dir, meaning }: Revocations,
    options: RevokeOptions,
    stop: AbortSignal,
): Promise<void> {
    const { logLevel } = options
    // What a command did it prints: to be connected is no news here.
    const log = makeLogger({ name: role, level: logLevel === "info" ? "warn" : logLevel })
    const known = dir && (await new SeenLedger(fileNotebook(dir.path)).chain())
    const sought = { ...server, chain: server.chain ?? (known && toHex(known)) }
    // A follower waits for its server for ever; whoever types a command wants to know at once.
    await findChain(sought, stop)
    const proves = ({ kind }: { readonly kind: EntryKind }): boolean => proved.has(kind)
    const follower = await Follower.start({ server: sought, dir, log, stop, proves })
    for (const { receipts } of all) if (receipts !== undefined) await follower.expectReceipts(receipts)
    await Revoking.open(follower, log, stop, async (revoking, state) => {
        for (const { signer } of all) requireRegistered(state, signer.publicKey)
        for (const revocable of all) {
            const identity = revocable.signer.publicKey
            const before = revoking.ended.get(nameOf(identity))
            if (before === undefined) {
                if (!options.yes)
                    await confirm(describe(state, identity, meaning), identity, systemTerminal, stop)
                const receipt = await revoking.end(revocable)
                process.stdout.write(line(state, identity, receipt.index, receipt, options))
            } else process.stdout.write(line(state, identity, before, undefined, options))
        }
    })
}

/** Rejects with a {@link UserError} unless the beginning of that identity is typed, with the stop signal's reason. */
export async function confirm(
    text: string,
    identity: Uint8Array,
    { input, output }: Terminal,
    stop: AbortSignal,
): Promise<void> {
    stop.throwIfAborted()
    output.write(`${text}Type the first ${typedDigits} characters of the identity to revoke it: `)
    // It leaves the terminal as it is, where Ctrl-C is a signal.
    const lines = createInterface({ input, terminal: false })
    const close = (): void => lines.close()
    stop.addEventListener("abort", close, { once: true })
    const answer = await new Promise<string>((resolve) => {
        lines.once("line", resolve)
        lines.once("close", () => resolve(""))
    })
    stop.removeEventListener("abort", close)
    lines.close()
    stop.throwIfAborted()
    if (answer.trim().toLowerCase() !== toHex(identity).slice(0, typedDigits))
        throw new UserError("that is not the beginning of the identity, so it was not revoked")
}

function registrationOf({ parties, requesters, nodes }: ChainState, identity: Uint8Array) {
    const name = nameOf(identity)
    return parties.get(name) ?? requesters.get(name) ?? nodes.get(name)
}

function requireRegistered(state: ChainState, identity: Uint8Array): void {
    if (registrationOf(state, identity) !== undefined) return
    throw new UserError(
        `${toHex(identity)} was never registered on ${inFull(state)}, so there is nothing to revoke; ` +
            "never start it there",
    )
}

function describe(state: ChainState, identity: Uint8Array, meaning: string): string {
    const until = registrationOf(state, identity)?.lastRound ?? 0
    return `This ends a registration that lasts until round ${until}, on ${inFull(state)}:\n  ${toHex(identity)}\n${meaning}\n`
}

function inFull({ chain, genesis }: ChainState): string {
    return `chain ${toHex(chain)} (${genesis.name})`
}

/** Without a receipt it was revoked before. */
function line(
    { chain }: ChainState,
    identity: Uint8Array,
    index: number,
    receipt: Receipt | undefined,
    { json }: RevokeOptions,
): string {
    const hex = toHex(identity)
    if (!json)
        return `${receipt === undefined ? `${hex} is revoked already` : `revoked ${hex}`}: entry ${index}\n`
    const { leaf, time, signature } = receipt ?? {}
    const shown = leaf && signature && { index, leaf: toHex(leaf), time, signature: toHex(signature) }
    return `${JSON.stringify({ chain: toHex(chain), identity: hex, index, receipt: shown ?? null })}\n`
}

class Revoking {
    /** Who is revoked, by which entry. */
    readonly ended = new Map<Name, number>()
    readonly #follower: Follower
    readonly #log: Logger
    readonly #stop: AbortSignal
    #session: Session | undefined
    readonly #grown = new Bell()

    /** Does the work once all of the ledger was taken. Rejects with the stop signal's reason where that came first. */
    static async open(
        follower: Follower,
        log: Logger,
        stop: AbortSignal,
        work: (revoking: Revoking, state: ChainState) => Promise<void>,
    ): Promise<void> {
        const revoking = new Revoking(follower, log, stop)
        const done = new AbortController()
        await follower.run({
            role: "observer",
            onSession: (session) => {
                const isFirst = revoking.#session === undefined
                revoking.#session = session
                if (!isFirst) return
                revoking
                    .#reach(session.size)
                    .then((state) => work(revoking, state))
                    .then(() => done.abort())
                    .then(
                        () => follower.end(),
                        (error: unknown) => follower.end(error),
                    )
            },
            onSteps: (steps) => revoking.#take(steps),
        })
        if (!done.signal.aborted) stop.throwIfAborted()
    }

    private constructor(follower: Follower, log: Logger, stop: AbortSignal) {
        this.#follower = follower
        this.#log = log
        this.#stop = stop
    }

    /** Resolves to the receipt once the ledger shows the entry. */
    async end({ signer, receipts }: Revocable): Promise<Receipt> {
        const { chain, genesis, range } = this.#state()
        const revocation = makeRevocation(chain, signer, lastSequence)
        await this.#follower.remember()
        const receipt = await retry(() => this.#send(revocation), {
            ...{ ...pause, clock: systemClock, random: systemRandom, signal: this.#stop },
            onWait: (error) => this.#log.warn({ err: error }, "not logged yet; trying again"),
        })
        requireReceiptFor(receipt, { ...revocation, kind: "revocation", time: 0 }, range.size)
        const broken = this.#follower.receipts.add(receipt, genesis.messageKey)
        if (receipts !== undefined) await fileReceipt(receipts, receipt)
        if (broken !== undefined) this.#follower.convict(broken)
        await this.#reach(receipt.index + 1)
        return receipt
    }

    async #send(revocation: Message<"ReqRevoke">): Promise<Receipt> {
        if (this.#session === undefined) throw new Error("there is no connection yet")
        try {
            return (await this.#session.peer.request("ReqRevoke", revocation)).receipt
        } catch (error) {
            if (error instanceof PeerRefused && error.action !== "wait")
                throw new UserError(`the ledger server refuses: ${error.detail}`, { cause: error })
            throw error
        }
    }

    #take(steps: readonly Step[]): void {
        for (const broken of this.#follower.receipts.compare(steps)) this.#follower.convict(broken)
        for (const { entry, index } of steps)
            if (entry.kind === "revocation") this.ended.set(nameOf(entry.identity), index)
        this.#grown.ring()
    }

    async #reach(size: number): Promise<ChainState> {
        const { replica } = this.#follower
        while ((replica.state?.range.size ?? 0) < size) await this.#grown.heard()
        return this.#state()
    }

    #state(): ChainState {
        const { state } = this.#follower.replica
        if (state === undefined) throw new Error("no checkpoint has covered anything yet")
        return state
    }
}

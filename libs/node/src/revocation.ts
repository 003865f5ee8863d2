/**
 * `revoke` of parties, requesters and entropy nodes: whoever has the key of a registration ends it for good. It counts as
 * done only once the verified ledger shows it.
 */
import { toHex } from "@tallylight/crypto/bytes.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import { nameOf, type ChainState, type Name } from "@tallylight/protocol/ledger/state.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import type { CommonOptions } from "./cli.ts"
import { openDataDir, type DataDir, type DataRole } from "./data-dir.ts"
import { fileNotebook } from "./file-notebook.ts"
import { findChain } from "./find-chain.ts"
import { Follower } from "./follower.ts"
import { LedgerVisit } from "./ledger-visit.ts"
import { makeLogger } from "./logger.ts"
import { FolderInUse } from "./process-lock.ts"
import { confirm, systemTerminal } from "./revocation-consent.ts"
import { SeenLedger } from "./seen-ledger.ts"
import type { ServerSettings } from "./server-settings.ts"
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

/** Who is registered decides whether there is something to end, and a revocation says that there is not. */
const proved: ReadonlySet<EntryKind> = new Set([
    ...(["genesis", "party-registration", "requester-registration"] as const),
    ...(["node-registration", "revocation"] as const),
])

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
    /** Who is revoked, by which entry. */
    const ended = new Map<Name, number>()
    const onSteps = (steps: readonly Step[]): void => {
        for (const { entry, index } of steps)
            if (entry.kind === "revocation") ended.set(nameOf(entry.identity), index)
    }
    await LedgerVisit.make({ follower, log, stop, onSteps }, async (visit, state) => {
        for (const { signer } of all) requireRegistered(state, signer.publicKey)
        for (const revocable of all) {
            const identity = revocable.signer.publicKey
            const before = ended.get(nameOf(identity))
            if (before === undefined) {
                if (!options.yes)
                    await confirm(describe(state, identity, meaning), identity, systemTerminal, stop)
                const receipt = await end(visit, revocable)
                process.stdout.write(line(state, identity, receipt.index, receipt, options))
            } else process.stdout.write(line(state, identity, before, undefined, options))
        }
    })
}

/** The highest number of all: a thief who renews the registration meanwhile would make any lower one stale. */
const lastSequence = Number.MAX_SAFE_INTEGER

function end(visit: LedgerVisit, { signer, receipts }: Revocable): Promise<Receipt> {
    const revocation = makeRevocation(visit.state.chain, signer, lastSequence)
    const entry = { ...revocation, kind: "revocation", time: 0 } as const
    return visit.logged(entry, (peer) => peer.request("ReqRevoke", revocation), receipts)
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

/** One chain of beacons that the node follows: it verifies every entry itself, as an auditor does, and signs. */
import { mkdir } from "node:fs/promises"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { Follower } from "@tallylight/node/follower.js"
import type { Logger } from "@tallylight/node/logger.js"
import { fileReceipt } from "@tallylight/node/promises.js"
import type { ServerSettings } from "@tallylight/node/server-settings.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { UserError } from "@tallylight/node/user-error.js"
import { WrongReceipt } from "@tallylight/protocol/ledger/receipt.js"
import type { ChainState, SignableBeacon } from "@tallylight/protocol/ledger/state.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { BeaconSigning } from "./beacon-signing.ts"
import type { SigningEvents, SigningNode } from "./beacon-signing.ts"

export type FollowedChain = {
    /** 32 bytes. */
    readonly id: Uint8Array
    /** The latest beacon that was in time, verified; undefined before the first. */
    readonly latest: () => SignableBeacon | undefined
}

export type FollowOptions = {
    readonly server: ServerSettings
    /** Of this chain alone: what was seen of it, and the receipts. */
    readonly folder: string
    readonly node: SigningNode
    readonly log: Logger
    readonly stop: AbortSignal
    /** The chain is known, and its beacons from now on. */
    readonly onFollowing: (chain: FollowedChain) => void
}

/** Until `stop` aborts. Rejects with a {@link UserError} where the ledger breaks the rules or contradicts itself. */
export async function followChain(options: FollowOptions): Promise<void> {
    const { server, node, stop, onFollowing } = options
    const dir = await chainDir(options.folder)
    const follower = await Follower.start({
        ...{ server, dir, stop },
        log: options.log,
        // Its signature says that the round was in order.
        proves: () => true,
    })
    const log = options.log.child({ chain: follower.address.hex.slice(0, 12) })
    const receipts = dir.file("receipts.jsonl")
    await follower.expectReceipts(receipts)
    const { replica } = follower
    onFollowing({ id: follower.address.id, latest: () => replica.state?.signable.at(-1) })
    const events: SigningEvents = {
        onLogged: (what, receipt, round) => {
            fileReceipt(receipts, receipt).catch((error: unknown) => follower.end(error))
            log.info({ index: receipt.index, ...(round !== undefined && { round }) }, what)
        },
        onRefused: (what, { code, detail }) => log.warn({ code }, `${what} refused: ${detail}`),
        onIdle: (reason) => log.warn(`no beacon is signed for now: ${reason}`),
        onBrokenPromise: (broken) => follower.convict(broken),
        beforeActing: () => follower.remember(),
        onFault: (error) =>
            follower.end(
                // What one ledger server does is no defect of this process, which others rely on.
                error instanceof WrongReceipt || error instanceof PeerRefused
                    ? new UserError(error.message, { cause: error })
                    : error,
            ),
    }
    let signing: BeaconSigning | undefined
    const begin = (session: Session, state: ChainState): BeaconSigning =>
        new BeaconSigning(node, session, state, systemClock, follower.receipts, events)
    await follower.run({
        role: "entropy-node",
        onSession: (session) => {
            signing = replica.state && begin(session, replica.state)
            signing?.act()
        },
        onSteps: (steps, session) => {
            const [first] = steps
            if (first === undefined) return
            signing ??= begin(session, first.after)
            signing.take(steps)
        },
    })
}

async function chainDir(path: string): Promise<DataDir> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    // The lock is that of the folder around it.
    return { path, file: (name) => `${path}/${name}`, release: () => Promise.resolve() }
}

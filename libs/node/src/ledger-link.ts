/** A follower that stays connected to its ledger server, through restarts and outages of either side. */
import { openSession, type Session, type SessionOptions } from "@tallylight/protocol/session/session.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"

import { retry } from "./backoff.ts"
import type { ChainAddress } from "./chain-address.ts"
import { UserError } from "./user-error.ts"
import { connectWebSocket } from "./ws-connect.ts"

/** Those of each session, but for what is found anew for each. */
export type LinkOptions = Omit<SessionOptions, "channel" | "chain" | "requestTimeoutMs" | "onOpen"> & {
    readonly address: ChainAddress
    readonly stop: AbortSignal
    readonly onSession: (session: Session) => void
    readonly onWait: (error: unknown, ms: number) => void
    readonly onGone: (reason: string) => void
}

/** Events carry up to a quarter of a mebibyte of entries. */
const limits = { frameBytes: 1024 * 1024, bufferedBytes: 1024 * 1024, stalledMs: 30_000, heartbeatMs: 30_000 }
const requestTimeoutMs = 20_000
const pause = { baseMs: 250, maxMs: 10_000 }

/**
 * Until `stop` aborts. Rejects with a {@link UserError} where the server shows a ledger that breaks the rules or
 * contradicts what it showed before: going on would mean choosing to believe it.
 */
export async function followLedger(options: LinkOptions): Promise<void> {
    const { clock, random, stop, onWait } = options
    while (!stop.aborted) {
        const session = await retry(() => connect(options), {
            ...pause,
            clock,
            random,
            signal: stop,
            onWait,
        }).catch((error: unknown) => {
            if (stop.aborted) return undefined
            throw error
        })
        if (session === undefined) return
        const hangUp = (): void => session.peer.close(1000, "goodbye")
        stop.addEventListener("abort", hangUp, { once: true })
        // It may have come while the session was being opened, before there was anything to hang up.
        if (isAborted(stop)) hangUp()
        const { reason, breach } = await session.ended
        stop.removeEventListener("abort", hangUp)
        if (breach !== undefined) throw breachOf(options.address, breach)
        if (!isAborted(stop)) options.onGone(`${reason.code} ${reason.reason}`.trim())
    }
}

async function connect(options: LinkOptions): Promise<Session> {
    const { address, clock, stop, handlers, signer, onVerdict } = options
    const channel = await connectWebSocket(address.socket, limits, clock, { signal: stop, ca: address.ca })
    try {
        return await openSession({
            ...{ channel, chain: address.id, role: options.role, replica: options.replica },
            ...{ clock, random: options.random, requestTimeoutMs },
            ...{ onOpen: options.onSession, onSteps: options.onSteps, onFault: options.onFault },
            ...(signer && { signer }),
            ...(handlers && { handlers }),
            ...(onVerdict && { onVerdict }),
        })
    } catch (error) {
        if (error instanceof Refusal) throw breachOf(address, error)
        if (error instanceof PeerRefused && error.code === "no-such-entry") {
            throw new UserError(
                `${address.http} has fewer entries than it showed before: its ledger was cut short or replaced`,
                { cause: error },
            )
        }
        throw error
    }
}

function breachOf({ http }: ChainAddress, breach: Refusal): UserError {
    return new UserError(`${http} broke the rules of its own ledger: ${breach.message}`, { cause: breach })
}

/** Asked after an await, when the answer may be another one than before it. */
function isAborted(signal: AbortSignal): boolean {
    return signal.aborted
}

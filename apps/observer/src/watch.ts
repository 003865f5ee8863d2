/** Rounds as they happen, each verified here down to the last proof before it is told. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Follower } from "@tallylight/node/follower.js"
import { beaconPulseOf } from "@tallylight/protocol/round/beacon-pulse.js"
import type { Step } from "@tallylight/protocol/session/replica.js"

/** A verified beacon, as `watch --json` prints it. */
export type WatchedRound = {
    readonly chain: string
    readonly round: number
    readonly ticket: string
    /** 128 hexadecimal digits. */
    readonly output: string
    /** How many parties contributed. */
    readonly contributors: number
    /** Of the beacon's entry in the ledger. */
    readonly index: number
    readonly verified: true
    /** Of a committee: the members whose shares opened it. */
    readonly openedBy?: readonly number[]
    readonly members?: number
}

/** A verified pulse of an entropy node about a beacon, as `watch --json --pulses` prints it. */
export type WatchedPulse = {
    /** What tells it from a beacon, which has no kind. */
    readonly kind: "pulse"
    readonly chain: string
    readonly round: number
    /** Identity of the node. */
    readonly node: string
    /** What the node says of its key and its sources: all hardware. */
    readonly hardware: boolean
    /** 128 hexadecimal digits; null where the node was not bound to its value before the ticket, and Z is void. */
    readonly Z: string | null
    /** Beacons that the node owed a pulse, and passed over since its last one. */
    readonly missed: number
    /** Of the pulse's entry in the ledger. */
    readonly index: number
    readonly verified: true
}

export type WatchOptions = {
    /** The first round to tell; undefined for those that end from now on. */
    readonly from: number | undefined
    readonly rounds: number
    readonly onRound: (round: WatchedRound) => void
    readonly onPulse: (pulse: WatchedPulse) => void
    /** Rounds without an output in time, and other news that is no beacon. */
    readonly onNews: (news: string) => void
}

/** Until that many rounds were told, or the follower is stopped. */
export async function watch(follower: Follower, options: WatchOptions): Promise<void> {
    let told = 0
    let history: number | undefined
    let remembered = Promise.resolve()
    const running = follower.run({
        role: "observer",
        onSession: ({ size }) => (history ??= size),
        onSteps: (steps) => {
            for (const step of steps) {
                if (told >= options.rounds) break
                if (options.from === undefined && step.index < (history ?? 0)) continue
                if (options.from !== undefined && roundOf(step) < options.from) continue
                const round = watchedRound(step)
                const pulse = watchedPulse(step)
                if (pulse !== undefined) options.onPulse(pulse)
                else if (round === undefined) tellNews(step, options.onNews)
                else {
                    options.onRound(round)
                    told += 1
                }
            }
            // What was verified need not be verified again by the next run.
            remembered = follower.remember()
            remembered.catch((error: unknown) => follower.end(error))
            if (told >= options.rounds) follower.end()
        },
    })
    // Whoever called may end the process next.
    await running.finally(() => remembered)
}

function roundOf({ entry, before }: Step): number {
    return "round" in entry ? entry.round : (before?.rounds ?? 0)
}

/** A beacon that was in time; a late one is news, since nobody may rely on it. */
function watchedRound({ entry, before, after, index }: Step): WatchedRound | undefined {
    const sealed = before?.current
    if (entry.kind !== "beacon" || sealed?.round !== entry.round) return undefined
    const members = sealed.request.requester.members.length
    return {
        chain: toHex(after.chain),
        round: entry.round,
        ticket: toHex(sealed.ticket),
        output: toHex(entry.output),
        contributors: sealed.contributions.length,
        index,
        verified: true,
        ...(members > 1 && { openedBy: entry.shares.map(({ member }) => member), members }),
    }
}

export function watchedPulse({ entry, before, after, index }: Step): WatchedPulse | undefined {
    if (entry.kind !== "pulse" || before === undefined) return undefined
    const { round, hardware, isBound, Z, missed } = beaconPulseOf(before, entry)
    return {
        kind: "pulse",
        chain: toHex(after.chain),
        round,
        node: toHex(entry.identity),
        hardware,
        Z: isBound ? toHex(Z) : null,
        missed,
        index,
        verified: true,
    }
}

function tellNews({ entry, index }: Step, onNews: WatchOptions["onNews"]): void {
    if (entry.kind === "void") {
        const missing = entry.missing.length === 0 ? "" : `, no share from member ${entry.missing.join(", ")}`
        onNews(`round ${entry.round} is void: ${entry.reason}${missing}`)
    } else if (entry.kind === "beacon") {
        onNews(`round ${entry.round} was opened late: ${toHex(entry.output)}`)
    } else if (entry.kind === "share" && !entry.valid) {
        onNews(`round ${entry.round}: member ${entry.share.member} signed a wrong share`)
    } else if (entry.kind === "admission") {
        onNews(`${entry.admitted ? "admitted" : "removed"} party ${toHex(entry.identity)}, entry ${index}`)
    }
}

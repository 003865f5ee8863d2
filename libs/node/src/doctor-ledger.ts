/** What `doctor` finds in a server's ledger: whether it goes on from what this data directory relied on before. */
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import { Replica } from "@tallylight/protocol/session/replica.js"
import { openSession } from "@tallylight/protocol/session/session.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"

import type { ChainAddress } from "./chain-address.ts"
import { fail, ok, warn, type Finding } from "./doctor.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { connectWebSocket } from "./ws-connect.ts"

/** Less than a check may take: how far it came is worth more than that it came to no end. */
const patienceMs = 10_000

const limits = { frameBytes: 1024 * 1024, bufferedBytes: 1024 * 1024, stalledMs: 10_000, heartbeatMs: 10_000 }

export type Replayed = {
    readonly finding: Finding
    /** As it was when this began; undefined where not all of it was read. */
    readonly state?: ChainState
}

/** Takes in the whole ledger by its rules, but without its proofs, which are for the apps and for `observer verify`. */
export async function replayLedger(
    address: ChainAddress,
    seen: Checkpoint | undefined,
    stop: AbortSignal,
): Promise<Replayed> {
    const late = AbortSignal.timeout(patienceMs)
    const replica = new Replica({ chain: address.id, proves: () => false, ...(seen && { seen }) })
    try {
        const state = await untilAny([stop, late], (over) => wholeState(address, replica, over))
        const entries = `${state.range.size} entries, by its rules`
        const since = seen === undefined ? "" : `, and goes on from the ${seen.size} that were seen from here`
        return { finding: ok(`${entries}${since}`), state }
    } catch (error) {
        stop.throwIfAborted()
        if (error instanceof Refusal) return { finding: broken(error, replica, seen) }
        if (!late.aborted) throw error
        const says = `only ${replica.next} entries could be read in ${patienceMs / 1000} s; those keep its rules`
        return { finding: warn(says, "`observer verify` looks at all of them") }
    }
}

/** An app ends with the same. */
function broken(
    { code, message }: Refusal,
    { contradiction }: Replica,
    seen: Checkpoint | undefined,
): Finding {
    if (code !== "forked" || seen === undefined)
        return fail(`breaks its own rules: ${message}`, "ask its operator, and rely on nothing of it before")
    const proved = contradiction?.proof === undefined ? "" : ", and signed both"
    return fail(
        `is not the ledger of which ${seen.size} entries were seen from here: it was cut short or replaced${proved}`,
        "ask its operator what happened; a start ends at once, and writes what the server signed into the data directory",
    )
}

async function wholeState(
    { id: chain, socket, ca }: ChainAddress,
    replica: Replica,
    signal: AbortSignal,
): Promise<ChainState> {
    const channel = await connectWebSocket(socket, limits, systemClock, { signal, ca })
    const hangUp = (): void => channel.close(1000, "goodbye")
    signal.addEventListener("abort", hangUp, { once: true })
    let wanted = Infinity
    try {
        return await new Promise((resolve, reject) => {
            const look = (): void => {
                const { state } = replica
                if (state !== undefined && state.range.size >= wanted) resolve(state)
            }
            openSession({
                ...{ channel, chain, role: "observer", replica, clock: systemClock, random: systemRandom },
                requestTimeoutMs: 10_000,
                onOpen: ({ size }) => {
                    // A ledger that was cut short is one however long what is left of it may be.
                    if (replica.contradiction !== undefined) reject(new Refusal("forked", { size }))
                    wanted = size
                },
                onSteps: look,
                onFault: reject,
            }).then(async ({ ended }) => {
                const { breach, reason } = await ended
                reject(breach ?? new Error(`the connection was lost: ${reason.code} ${reason.reason}`.trim()))
            }, reject)
        })
    } finally {
        signal.removeEventListener("abort", hangUp)
        hangUp()
    }
}

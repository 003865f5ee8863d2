/** A running requester or member of a committee: its notes, its connection. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { fileNotebook } from "@tallylight/node/file-notebook.js"
import type { Follower } from "@tallylight/node/follower.js"
import type { Logger } from "@tallylight/node/logger.js"
import { fileReceipt } from "@tallylight/node/promises.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { requireReceiptFor, WrongReceipt } from "@tallylight/protocol/ledger/receipt.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { Commission } from "./commission.ts"
import type { CommissionEvents, Demand } from "./commission.ts"
import { Given } from "./given.ts"
import { shareEntry } from "./key-holder.ts"
import type { RequesterKeys } from "./keys.ts"
import { Requester } from "./requester.ts"

/** For the ledger to come as far as the tally that the PDL asks about. */
const patienceMs = 5000

function refusedForGood(what: string, code: string, detail: string, committee: unknown): UserError {
    const another =
        committee === undefined
            ? "`tallylight requester init` in another folder makes another requester"
            : "`tallylight requester keygen` deals another committee"
    return new UserError(
        `${what} refused for good, ${code}: ${detail} Where that is about its keys, ${another}`,
    )
}

export async function runRequester(
    follower: Follower,
    keys: RequesterKeys,
    demand: Demand,
    dir: DataDir,
    log: Logger,
    onBeacon: (beacon: EntryOf<"beacon">) => void,
): Promise<void> {
    const requester = new Requester(keys, fileNotebook(dir.path), systemRandom)
    const keep = (receipt: Receipt): void => {
        fileReceipt(dir.file("receipts.jsonl"), receipt).catch((error: unknown) => follower.end(error))
    }
    await follower.expectReceipts(dir.file("receipts.jsonl"))
    const events: CommissionEvents = {
        onRegistered: (receipt) => {
            keep(receipt)
            log.info({ index: receipt.index }, "registered")
        },
        onRequested: (receipt, notBefore) => {
            keep(receipt)
            log.debug({ index: receipt.index, notBefore }, "requested")
        },
        onOpened: (round) => log.debug({ round }, "opened"),
        onBeacon: (beacon) => {
            log.info({ round: beacon.round, output: toHex(beacon.output) }, "beacon")
            onBeacon(beacon)
            if (commission.done) follower.end()
        },
        onRefused: (what, { code, detail, action }) => {
            if (action === "stop") follower.end(refusedForGood(what, code, detail, keys.membership))
            else log.warn({ code }, `${what} refused: ${detail}`)
        },
        onBrokenPromise: (broken) => follower.convict(broken),
        beforeActing: () => follower.remember(),
        onFault: (error) =>
            follower.end(
                error instanceof WrongReceipt ? new UserError(error.message, { cause: error }) : error,
            ),
    }
    /** Any t of a committee open a round, so that the others find it opened. */
    const isLate = (code: string): boolean => keys.membership !== undefined && code === "no-tally"
    const given = new Given()
    const commission: Commission = new Commission(requester, demand, systemClock, follower.receipts, events)
    await follower.run({
        role: "requester",
        signer: keys.signer,
        handlers: {
            ReqDecryption: async (asked, _, id) => {
                const answer = await commission.open(asked, patienceMs).catch((error: unknown) => {
                    if (error instanceof Refusal && !isLate(error.code))
                        log.warn({ round: asked.round, code: error.code }, `not opened: ${error.message}`)
                    // Whatever else is wrong with the question: its checkpoint is signed, and may convict.
                    if (error instanceof Refusal) follower.compare(asked.checkpoint)
                    throw error
                })
                given.add(id, shareEntry(asked.round, answer))
                return answer
            },
        },
        onSession: (session) => {
            given.clear()
            commission.attach(session)
        },
        onSteps: (steps) => {
            if (!requester.asks && steps.some(({ entry }) => requester.isEndedBy(entry)))
                log.warn(
                    "this committee was revoked with its own key, which is for ever: no more rounds will come",
                )
            commission.take(steps)
        },
        onVerdict: (id, verdict) => {
            const share = given.take(id)
            if (!("index" in verdict)) {
                if (isLate(verdict.code)) return
                log.warn({ code: verdict.code }, `share refused: ${verdict.detail}`)
                return
            }
            try {
                if (share !== undefined) requireReceiptFor(verdict, share, follower.replica.next)
                commission.keep(verdict)
                keep(verdict)
            } catch (error) {
                events.onFault(error)
            }
        },
    })
}

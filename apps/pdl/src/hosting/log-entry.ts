/** What the ledger server logs of its ledger. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Logger } from "@tallylight/node/logger.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"

/** One line for each step of a round; contributions and the like only for those who debug. */
export function logEntry(log: Logger, index: number, entry: Entry): void {
    const round = "round" in entry ? { round: entry.round } : {}
    switch (entry.kind) {
        case "ticket":
            return log.info({ index, ...round, k: entry.k, n: entry.n }, "ticket")
        case "tally":
            return log.info({ index, ...round, contributions: entry.count }, "tally")
        case "beacon":
            return log.info({ index, ...round, output: toHex(entry.output) }, "beacon")
        case "void":
            return log.warn({ index, ...round, reason: entry.reason, missing: entry.missing }, "void")
        case "extension":
            return log.warn({ index, ...round, closesAt: entry.closesAt }, "window extended")
        case "share":
            return entry.valid
                ? log.debug({ index, ...round, member: entry.share.member }, "share")
                : log.warn({ index, ...round, member: entry.share.member }, "wrong share on record")
        case "genesis":
        case "admission":
        case "party-registration":
        case "requester-registration":
        case "revocation":
        case "request":
        case "contribution":
        case "abstention":
        case "commitment":
        case "pulse":
        case "node-registration":
            return log.debug({ index, ...round }, entry.kind)
    }
}

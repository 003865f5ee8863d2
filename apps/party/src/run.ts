/** Running parties: their keys, their notes, one connection for all of them. */
import { mkdir } from "node:fs/promises"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { fileNotebook } from "@tallylight/node/file-notebook.js"
import { shortName } from "@tallylight/node/follower.js"
import type { Follower } from "@tallylight/node/follower.js"
import { openKeyFile } from "@tallylight/node/key-files.js"
import type { Logger } from "@tallylight/node/logger.js"
import { fileReceipt } from "@tallylight/node/promises.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { Lottery } from "./lottery.ts"
import type { LotteryEvents } from "./lottery.ts"
import { Party, TwoTickets } from "./party.ts"

/** Party `number`, from 1, with keys of its own that are made the first time. */
export async function openParty(dir: DataDir, number: number): Promise<Party> {
    const folder = dir.file(`party-${number}`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const identity = await openKeyFile(`${folder}/identity.key`, "identity", systemRandom)
    const vrfSeed = await openKeyFile(`${folder}/vrf.key`, "vrf", systemRandom)
    return new Party({ signer: seedSigner(identity), vrfSeed }, fileNotebook(folder), systemRandom)
}

export async function runParties(
    follower: Follower,
    parties: readonly Party[],
    dir: DataDir,
    log: Logger,
): Promise<void> {
    const keep = (party: Party, receipt: Receipt): void => {
        const path = dir.file(`party-${parties.indexOf(party) + 1}/receipts.jsonl`)
        fileReceipt(path, receipt).catch((error: unknown) => follower.end(error))
    }
    for (const number of parties.keys())
        await follower.expectReceipts(dir.file(`party-${number + 1}/receipts.jsonl`))
    const events: LotteryEvents = {
        onRegistered: (party, receipt) => {
            keep(party, receipt)
            log.info({ party: shortName(party.identity), index: receipt.index }, "registered")
        },
        onAnswered: (party, round, kind, receipt) => {
            keep(party, receipt)
            log.info({ party: shortName(party.identity), round, index: receipt.index }, kind)
        },
        onRefused: (party, what, { code, detail }) =>
            log.warn({ party: shortName(party.identity), code }, `${what} refused: ${detail}`),
        onBrokenPromise: (broken) => follower.convict(broken),
        beforeActing: () => follower.remember(),
        onFault: (error) =>
            follower.end(
                error instanceof TwoTickets ? new UserError(error.message, { cause: error }) : error,
            ),
    }
    let lottery: Lottery | undefined
    const { replica } = follower
    await follower.run({
        role: "party",
        onSession: (session) => {
            lottery =
                replica.state &&
                new Lottery(parties, session, replica.state, systemClock, follower.receipts, events)
            lottery?.act()
        },
        onSteps: (steps, session) => {
            const [first] = steps
            if (first === undefined) return
            lottery ??= new Lottery(parties, session, first.after, systemClock, follower.receipts, events)
            lottery.take(steps)
        },
    })
}

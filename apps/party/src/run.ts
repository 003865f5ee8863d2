/** Running parties: their keys, their notes, one connection for all of them. */
import { mkdir, rename, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { syncFolder } from "@tallylight/node/durable-file.js"
import { fileNotebook } from "@tallylight/node/file-notebook.js"
import { shortName } from "@tallylight/node/follower.js"
import type { Follower } from "@tallylight/node/follower.js"
import { createKeyFile, readKeyFile } from "@tallylight/node/key-files.js"
import type { Logger } from "@tallylight/node/logger.js"
import { fileReceipt } from "@tallylight/node/promises.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { WrongReceipt } from "@tallylight/protocol/ledger/receipt.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { systemAlone } from "./entropy.ts"
import type { Entropy } from "./entropy.ts"
import { EntropyNode } from "./entropy-node.ts"
import { openChannel } from "./entropy-node-request.ts"
import type { EntropyNodeSettings } from "./entropy-node-settings.ts"
import { Lottery } from "./lottery.ts"
import type { LotteryEvents } from "./lottery.ts"
import { Party, TwoTickets } from "./party.ts"
import type { Bar } from "./party.ts"

/**
 * Party `number`, from 1. A number that was never used gets a folder with new keys; one that was, and has lost a
 * key, is an error: with another key the party would fail its own lots.
 */
export async function openParty(
    dir: DataDir,
    number: number,
    entropy: Entropy = systemAlone,
): Promise<Party> {
    const folder = dir.file(`party-${number}`)
    if (!(await isFolder(folder))) await makeKeys(folder)
    const identity = await readKeyFile(`${folder}/identity.key`, "identity")
    const vrfSeed = await readKeyFile(`${folder}/vrf.key`, "vrf")
    return new Party({ signer: seedSigner(identity), vrfSeed }, fileNotebook(folder), systemRandom, entropy)
}

/** Of all parties in this process. Rejects with a {@link UserError} where its files are not as they should be. */
export async function openEntropy(settings: EntropyNodeSettings | undefined, log: Logger): Promise<Entropy> {
    if (settings === undefined) return systemAlone
    const channel = await openChannel(settings)
    const { url, identity, mode } = settings
    log.info({ url, node: identity.slice(0, 12), mode }, "entropy node")
    return new EntropyNode(settings, channel, systemClock, {
        onFailing: (why) => log.warn({ url }, `${why}; ${withoutNode[mode]}`),
        onGiving: () => log.info({ url }, "the entropy node gives bytes again"),
        onStaysOut: (identity, round) =>
            log.info(
                { party: shortName(identity), round },
                "elected, and stays out without its entropy node",
            ),
    })
}

const withoutNode = {
    required: "without it, elected parties stay out of their rounds, and ask again every second",
    preferred:
        "without it, parties contribute from the operating system alone, and say so in their statements",
} as const

/** The folder gets its name when it is complete. */
async function makeKeys(folder: string): Promise<void> {
    const draft = `${folder}.new`
    await rm(draft, { recursive: true, force: true })
    await mkdir(draft, { mode: 0o700 })
    await createKeyFile(`${draft}/identity.key`, "identity", systemRandom(32))
    await createKeyFile(`${draft}/vrf.key`, "vrf", systemRandom(32))
    await rename(draft, folder)
    await syncFolder(dirname(folder))
}

async function isFolder(path: string): Promise<boolean> {
    return stat(path).then(
        (found) => found.isDirectory(),
        () => false,
    )
}

const waits = "the party waits, and registers as soon as the ledger shows that it is admitted"
const barSentences: Readonly<Record<Bar, string>> = {
    "not admitted": `this chain admits listed parties only: give this identity to its operator; ${waits}`,
    removed:
        "the operator has removed this party: it is on no roster from the next request on; " +
        `ask the operator why; ${waits} again`,
    revoked:
        "this party was revoked with its own key, which is for ever: it is on no roster of a later request; " +
        "to take part again, make new keys in another folder with `tallylight party init`",
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
        onBarred: (party, bar) => log.warn({ identity: toHex(party.identity) }, barSentences[bar]),
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
                error instanceof TwoTickets || error instanceof WrongReceipt
                    ? new UserError(error.message, { cause: error })
                    : error,
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

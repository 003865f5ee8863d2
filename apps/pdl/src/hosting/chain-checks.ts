/** What `pdl doctor` looks at in the folder of each chain: its ledger, its keys, and the time of its last entry. */
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { fail, ok, warn } from "@tallylight/node/doctor.js"
import type { Check, Finding } from "@tallylight/node/doctor.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { chainId } from "@tallylight/protocol/chain/genesis.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import { foreignKeys } from "../chain/keys.ts"
import { operatorKeyPath } from "../operator/key.ts"
import { ledgerPath, readKeys } from "./chain-folder.ts"
import type { ChainFolder } from "./chain-folder.ts"
import { readChain } from "./read-chains.ts"
import { refuseTwins } from "./twins.ts"

type Ends = { readonly genesis: Genesis; readonly last: Entry; readonly size: number; readonly note: string }

/** Its first and last entry: the whole ledger is for the start, and for `observer verify`. */
async function readEnds(folder: ChainFolder): Promise<Ends> {
    const path = ledgerPath(folder)
    const store = await openSqliteStore(path, { create: false })
    try {
        const { size, checkpoint: note } = await store.head()
        const entries: Entry[] = []
        for (const index of [0, size - 1])
            for await (const bytes of store.read(index, index + 1)) entries.push(decodeEntry(bytes))
        const [genesis, last] = entries
        if (genesis?.kind !== "genesis" || last === undefined)
            throw new Error(`${path} does not begin with the first entry of a chain`)
        return { genesis, last, size, note }
    } finally {
        await store.close()
    }
}

export function chainChecks(folder: ChainFolder): Check[] {
    const named = (name: string, look: (ends: Ends) => Promise<Finding>): Check => ({
        name: `${folder.name}: ${name}`,
        look: async () => look(await readEnds(folder)),
    })
    return [
        named("ledger", (ends) => Promise.resolve(judgeLedger(ends))),
        named("keys", ({ genesis }) => judgeKeys(folder, genesis)),
        named("clock", ({ last }) => Promise.resolve(judgeLedgerTime(last.time, systemClock.now()))),
    ]
}

/** Of several chains. One that cannot be read has a finding of its own. */
export function twinsCheck(folders: readonly ChainFolder[]): Check {
    return {
        name: "chains",
        look: async () => {
            const read = await Promise.allSettled(
                folders.map(async (folder) => ({ id: (await readChain(folder)).id, folder })),
            )
            const chains = read.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []))
            refuseTwins(chains)
            return ok(`no two of ${chains.length} are the same`)
        },
    }
}

function judgeLedger({ genesis, size, note }: Ends): Finding {
    const { origin, ledgerKey: publicKey } = genesis
    const checkpoint = openCheckpoint(note, { origin, publicKey })
    if (checkpoint?.size === size) return ok(`chain ${toHex(chainId(genesis))}, ${size} entries`)
    return fail(
        `the checkpoint in it is not that of its ${size} entries, signed by its ledger key`,
        "it was damaged or edited; “Backup” in docs/OPERATING.md says what may take its place",
    )
}

async function judgeKeys(folder: ChainFolder, genesis: Genesis): Promise<Finding> {
    const keys = await readKeys(folder)
    if (foreignKeys(genesis, keys).length > 0)
        return fail(
            `the files in ${join(folder.path, "keys")} are not the keys in the first entry of this chain`,
            "keys were mixed up: put the ones back that belong to this ledger",
        )
    const operator = operatorKeyPath(folder.path)
    const isHere = await stat(operator).then(
        () => true,
        () => false,
    )
    return isHere
        ? warn(`${operator} is on the ledger server`, "move it to a machine of the operator's")
        : ok("those in the first entry of this chain")
}

/** The apps complain of a ledger that is further ahead than this. */
const wrongMs = 5000

export function judgeLedgerTime(last: UnixMs, now: UnixMs): Finding {
    if (last <= now) return ok(`the last entry is of ${new Date(last).toISOString()}`)
    const says = `the last entry is dated ${last - now} ms after now`
    const advice = "is this machine's clock right? ledger time waits until the clock has come that far"
    return last - now > wrongMs ? fail(says, advice) : warn(says, advice)
}

const dayMs = 86_400_000

/** How fast the ledgers have grown so far; 0 for those that are younger than a day. */
export async function bytesPerDay(folders: readonly ChainFolder[]): Promise<number> {
    let sum = 0
    for (const folder of folders) {
        const { genesis } = await readEnds(folder)
        const days = (systemClock.now() - genesis.time) / dayMs
        if (days >= 1) sum += (await stat(ledgerPath(folder))).size / days
    }
    return sum
}

/** What `pdl doctor` looks at beside what it has in common with the other apps: chains, their clock, the port. */
import { once } from "node:events"
import { stat } from "node:fs/promises"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { fail, ok, warn } from "@tallylight/node/doctor.js"
import type { Check, Finding } from "@tallylight/node/doctor.js"
import { fetchBytes } from "@tallylight/node/fetch-bytes.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { readCredentials } from "@tallylight/node/tls-files.js"
import type { TlsFiles } from "@tallylight/node/tls-files.js"
import { chainId } from "@tallylight/protocol/chain/genesis.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import { foreignKeys } from "./chain/keys.ts"
import type { PdlConfig } from "./config.ts"
import { ledgerPath, readKeys } from "./hosting/chain-folder.ts"
import type { ChainFolder } from "./hosting/chain-folder.ts"
import { operatorKeyPath } from "./operator/key.ts"

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

/** That the server answers where it runs, and that nobody else is in its place where it does not. */
export function addressCheck(
    { host, port, tls }: Pick<PdlConfig, "host" | "port" | "tls">,
    holder: () => Promise<number | undefined>,
): Check {
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`
    return {
        name: "address",
        look: async (signal) => {
            const pid = await holder()
            if (port === 0) return ok("a free port, chosen at each start")
            if (pid === undefined) return judgeFree(host, port)
            // The certificate is for the name that clients use, which may not be the address here.
            if (tls !== undefined) return judgeTaken(host, port, signal)
            const healthy = await fetchBytes(`${url}/healthz`, { maxBytes: 1024, timeoutMs: 10_000, signal })
            if (healthy !== undefined) return ok(`healthy at ${url}`)
            return fail(
                `process ${pid} runs, and what answers at ${url} is no ledger server`,
                "look at its log",
            )
        },
    }
}

/** What clients would be shown after the next start or SIGHUP. */
export function certificateCheck(files: TlsFiles): Check {
    return {
        name: "certificate",
        look: async () => {
            const { validTo } = await readCredentials(files, systemClock.now())
            const days = Math.floor((Date.parse(validTo) - systemClock.now()) / 86_400_000)
            const says = `${files.certFile}, until ${validTo}`
            return days < 14 ? warn(says, "renew it, and send SIGHUP to the server") : ok(says)
        },
    }
}

async function judgeTaken(host: string, port: number, signal: AbortSignal): Promise<Finding> {
    const socket = connect({ host, port })
    try {
        await once(socket, "connect", { signal })
        return ok(`port ${port} of ${host} takes connections`)
    } catch (error) {
        signal.throwIfAborted()
        const reason = error instanceof Error ? error.message : String(error)
        return fail(`port ${port} of ${host} takes no connections: ${reason}`, "look at the server's log")
    } finally {
        socket.destroy()
    }
}

async function judgeFree(host: string, port: number): Promise<Finding> {
    const server = createServer()
    try {
        server.listen({ host, port, exclusive: true })
        await once(server, "listening")
        return ok(`port ${port} of ${host} is free`)
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        return fail(
            `the server could not listen: ${reason}`,
            "stop what uses the port, or choose another with --url",
        )
    } finally {
        server.close()
    }
}

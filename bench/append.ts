/** Entries made durable per second: by the SQLite store alone, and through the one writer of a chain. */
import { mkdir, mkdtemp, rm, statfs } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { LedgerClock } from "@tallylight/pdl/ledger/clock.js"
import { LedgerWriter } from "@tallylight/pdl/ledger/writer.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry, EntryOf } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState, OpenRound } from "@tallylight/protocol/ledger/state.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { dueEntry } from "@tallylight/protocol/round/schedule.js"
import { rateOfAll, ratio } from "./measure.ts"
import type { Row } from "./measure.ts"
import type { Table } from "./report.ts"

const repetitions = 5
const entryBytes = 600
const groups = [1, 10, 100] as const
/** Entries in one repetition, by the size of the group. */
const counts = { 1: 200, 10: 500, 100: 1000 } as const

/** Not the system's temporary folder, which may be memory, where a sync costs nothing. */
const results = fileURLToPath(new URL("results", import.meta.url))

export async function append(): Promise<Table> {
    await mkdir(results, { recursive: true })
    const folder = await mkdtemp(join(results, "append-"))
    try {
        const round = openRound(Math.max(...Object.values(counts)))
        const store = groups.map((group) => row(`store, ${inGroups(group)}`))
        const writer = groups.map((group) => row(`writer, ${inGroups(group)}`))
        for (let repetition = 0; repetition < repetitions; repetition++) {
            for (const [at, group] of groups.entries()) {
                const file = (kind: string) => join(folder, `${kind}-${repetition}-${group}.db`)
                store[at]?.values.push(await withStore(file("store"), (open) => fillStore(open, group)))
                writer[at]?.values.push(
                    await withStore(file("writer"), (open) => fillWriter(open, round, group)),
                )
            }
        }
        return {
            name: "append",
            says: `entries of ${entryBytes} bytes, SQLite in WAL mode, synchronous FULL, on ${await fileSystem()}`,
            rows: [
                ...store,
                ...writer,
                ratio("store: in hundreds / one by one", store[2], store[0]),
                ratio("writer / store, one by one", writer[0], store[0]),
                ratio("writer / store, in hundreds", writer[2], store[2]),
            ],
        }
    } finally {
        await rm(folder, { recursive: true })
    }
}

function inGroups(group: number): string {
    return group === 1 ? "one by one" : `${group} at once`
}

function row(what: string): Row & { readonly values: number[] } {
    return { what, unit: "entries/s", values: [] }
}

async function withStore(path: string, work: (store: LedgerStore) => Promise<number>): Promise<number> {
    const store = await openSqliteStore(path, { create: true })
    try {
        return await work(store)
    } finally {
        await store.close()
    }
}

async function fillStore(store: LedgerStore, group: (typeof groups)[number]): Promise<number> {
    const entries = Array.from({ length: counts[group] }, () => systemRandom(entryBytes))
    let head = await store.head()
    return rateOfAll(entries.length, async () => {
        for (let done = 0; done < entries.length; done += group)
            head = await store.append(head, entries.slice(done, done + group), `${done}`.padEnd(200, "."))
    })
}

/** Submits contributions, so that what the writer does besides storing is in it: the fold, the tree, the signature. */
async function fillWriter(
    store: LedgerStore,
    { before, state, current }: Round,
    group: (typeof groups)[number],
): Promise<number> {
    const head = await store.append(await store.head(), before.map(encodeEntry), "")
    const writer = new LedgerWriter({
        ...{ store, state, head, ledgerSeed: systemRandom(32) },
        clock: new LedgerClock(systemClock, state, () => undefined),
        onCommit: () => undefined,
        onFault: (error) => {
            throw error
        },
    })
    const identities = [...current.roster.values()].map(({ identity }) => identity).slice(0, counts[group])
    const entries = identities.map((identity) => contributionOf(current, identity))
    return rateOfAll(entries.length, async () => {
        for (let done = 0; done < entries.length; done += group)
            await Promise.all(
                entries
                    .slice(done, done + group)
                    .map((entry) => writer.submit((_, time) => ({ ...entry, time }))),
            )
    })
}

type Round = { readonly before: readonly Entry[]; readonly state: ChainState; readonly current: OpenRound }

/** A round open for so many parties, whose proofs nobody will look at: neither the writer nor the fold does. */
function openRound(parties: number): Round {
    const vrfSeed = systemRandom(32)
    const genesis = genesisOf(vrfSeed)
    const before: Entry[] = [genesis]
    let state = begin(genesis)
    const log = (entry: Entry): void => {
        before.push(entry)
        state = apply(state, entry)
    }
    const { time } = state
    const signature = new Uint8Array(64)
    for (let party = 0; party < parties; party++) {
        const keys = { identity: systemRandom(32), vrfKey: systemRandom(32) }
        log({
            ...{ kind: "party-registration", time, ...keys, sequence: 0 },
            ...{ possession: new Uint8Array(80), signature },
        })
    }
    const [identity, Y] = [systemRandom(32), systemRandom(32)]
    const member = { identity, A: new Uint8Array(32), s: new Uint8Array(32), signature }
    log({
        ...{ kind: "requester-registration", time, identity, sequence: 0, dealt: false },
        ...{ commitments: [Y], members: [member], signature },
    })
    log({ kind: "request", time, identity, Y, nonce: systemRandom(32), sequence: 0, notBefore: 0, signature })
    const ticket = dueEntry(state, vrfSeed, time)
    if (ticket?.kind !== "ticket") throw new Error("no ticket is due")
    log(ticket)
    const { current } = state
    if (current?.phase !== "open") throw new Error("no round is open")
    return { before, state, current }
}

function genesisOf(vrfSeed: Uint8Array): EntryOf<"genesis"> {
    return {
        ...{ kind: "genesis", time: systemClock.now(), version: 1, name: "bench", salt: systemRandom(32) },
        ledgerKey: seedSigner(systemRandom(32)).publicKey,
        messageKey: seedSigner(systemRandom(32)).publicKey,
        vrfKey: vrfPublicKey(vrfSeed),
        ...{ origin: "tallylight.example/bench", witnesses: [], quorum: 0 },
        parameters: {
            ...{ expectedContributors: 0xffffffff, minimumContributors: 1, queueLength: 8 },
            ...{ contributionWindowMs: 0xffffffff, decryptionWindowMs: 10_000, registrationRounds: 100 },
            ...{ everyoneAnswers: true, admission: "open", operatorKey: new Uint8Array(32) },
        },
    }
}

function contributionOf({ round }: OpenRound, identity: Uint8Array): EntryOf<"contribution"> {
    const bare: EntryOf<"contribution"> = {
        ...{ kind: "contribution", time: 0, round, identity, y: systemRandom(64), pi: systemRandom(80) },
        ...{ C: systemRandom(32), D: systemRandom(32), A: systemRandom(32), s: systemRandom(32) },
        ...{ statement: new Uint8Array(), signature: systemRandom(64) },
    }
    return { ...bare, statement: systemRandom(entryBytes - encodeEntry(bare).length) }
}

/** Linux's magic numbers of the ones that people keep databases on. */
const fileSystems = new Map([
    [0xef53, "ext4"],
    [0x58465342, "xfs"],
    [0x9123683e, "btrfs"],
    [0x2fc12fc1, "zfs"],
    [0x794c7630, "overlayfs"],
    [0x01021994, "tmpfs, which is memory: these numbers mean nothing"],
])

async function fileSystem(): Promise<string> {
    const { type } = await statfs(results)
    return fileSystems.get(type) ?? `a file system of type 0x${type.toString(16)}`
}

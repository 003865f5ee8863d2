/** Ledgers that were written once and are read for ever: what they are, and what today's code makes of them. */
import { readFileSync } from "node:fs"
import { fromHex, toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { audit } from "@tallylight/protocol/verify/audit.js"

/** Those of protocol version 1, then those of version 2. */
export const goldenNames = ["sample", "processes", "sample-2", "processes-2"] as const
export type GoldenName = (typeof goldenNames)[number]

export type Golden = {
    readonly says: string
    readonly chain: string
    readonly checkpoint: string
    /** Each in hex. */
    readonly entries: readonly string[]
    readonly verdict: Awaited<ReturnType<typeof judge>>
}

export function goldenFile(name: GoldenName): URL {
    return new URL(`${name}.json`, import.meta.url)
}

export function readGolden(name: GoldenName): Golden {
    return JSON.parse(readFileSync(goldenFile(name), "utf8")) as Golden
}

/** What an audit says of a ledger, and what its entries come to. */
export async function judge({
    chain,
    checkpoint,
    entries,
}: Pick<Golden, "chain" | "checkpoint" | "entries">) {
    const bytes = entries.map(fromHex)
    const report = await audit({ entries: each(bytes), checkpoint, chain: fromHex(chain) })
    const { holds, verified, beacons, voids, state } = report
    if (state === undefined) throw new Error("not even the genesis holds")
    const outputs = bytes
        .map(decodeEntry)
        .flatMap((entry) => (entry.kind === "beacon" ? [toHex(entry.output)] : []))
    const root = toHex(rangeRoot(state.range))
    return { holds, verified, beacons, voids, root, outputs, state: stateDigest(state) }
}

// An audit reads its entries from a disk or a server; these are at hand.
async function* each(entries: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
    for (const entry of entries) yield await Promise.resolve(entry)
}

/** SHA-256 of what the ledger says, whatever the fold calls it and remembers besides. */
function stateDigest({
    parties,
    requesters,
    queue,
    rounds,
    current,
    withheld,
    admitted,
    time,
    nodes,
}: ChainState): string {
    const facts = {
        time,
        rounds,
        admitted: [...admitted].toSorted(),
        parties: sorted(parties, ({ vrfKey, sequence, lastRound, revoked }) => {
            return { vrfKey, sequence, lastRound, revoked }
        }),
        requesters: sorted(
            requesters,
            ({ commitments, members, sequence, lastRound, revoked, requestSequence }) => {
                return { commitments, members, sequence, lastRound, revoked, requestSequence }
            },
        ),
        queue: queue.map(({ index, due, retry, seed }) => ({ index, due, retry, seed: seed ?? null })),
        current: current === undefined ? null : { round: current.round, phase: current.phase },
        withheld: [...withheld.keys()].toSorted((one, other) => one - other),
        ...(nodes.size > 0 && {
            nodes: sorted(nodes, ({ sequence, lastRound, signed, nextCommitment, trail }) => {
                return { sequence, lastRound, signed, nextCommitment, output: trail?.output ?? null }
            }),
        }),
    }
    const text = JSON.stringify(facts, (_, value: unknown) =>
        value instanceof Uint8Array ? toHex(value) : value,
    )
    return toHex(sha256(utf8(text)))
}

function sorted<V>(map: Iterable<readonly [string, V]>, facts: (value: V) => unknown): unknown[] {
    return [...map]
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([name, value]) => [name, facts(value)])
}

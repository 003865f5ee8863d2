/** A chain, its entries and its rounds as the read side shows them, by the schemas of schema.ts. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { toJson } from "@tallylight/protocol/ledger/json.js"
import type { Json } from "@tallylight/protocol/ledger/json.js"
import type { Chain } from "../chain/chain.ts"
import type { RoundPlace } from "../ledger/round-index.ts"

export function summary(id: string, { state, head, connections, stopped }: Chain): Record<string, Json> {
    const { name, origin } = state.genesis
    const { parties, rounds, current, queue } = state
    const registered = [...parties.values()].filter(({ revoked }) => !revoked).length
    return {
        ...{
            id,
            name,
            origin,
            size: head.size,
            rounds,
            phase: stopped ? "stopped" : (current?.phase ?? "idle"),
        },
        ...{ queued: queue.length, parties: registered, connections },
    }
}

export function entryJson(index: number, bytes: Uint8Array): Json {
    return { index, entry: toJson(decodeEntry(bytes)), bytes: toHex(bytes) }
}

/** A round with everything needed to check it alone, and the proof that its beacon is in the log. */
export async function roundJson(chain: Chain, id: string, place: RoundPlace): Promise<Json> {
    const { round, status, request, entries, beacon } = place
    const { genesis } = chain.state
    const { size, checkpoint } = chain.head
    const shown: Json[] = []
    for (const run of runsOf([request, ...entries])) {
        const [from = 0] = run
        const read = await chain.entries(from, run.length)
        shown.push(...read.map((bytes, at) => entryJson(from + at, bytes)))
    }
    const found = beacon === undefined ? undefined : await beaconOf(chain, beacon)
    return {
        ...{ chain: id, round, status, output: found?.output ?? null, index: beacon ?? null },
        keys: toJson({ ledger: genesis.ledgerKey, message: genesis.messageKey, vrf: genesis.vrfKey }),
        entries: shown,
        inclusion: beacon === undefined ? null : toJson((await chain.tree.inclusion(beacon, size)).proof),
        checkpoint,
    }
}

/** Neighbours together: a round of a thousand parties is a few reads, not thousands. */
function runsOf(indices: readonly number[]): number[][] {
    const runs: number[][] = []
    for (const index of indices) {
        const last = runs.at(-1)
        if (last?.at(-1) === index - 1) last.push(index)
        else runs.push([index])
    }
    return runs
}

async function beaconOf(chain: Chain, index: number): Promise<{ output: string } | undefined> {
    const [bytes] = await chain.entries(index, 1)
    const entry = bytes && decodeEntry(bytes)
    return entry?.kind === "beacon" ? { output: toHex(entry.output) } : undefined
}

/** One subscriber's cursor through the ledger: every entry from there on, in order, without a gap. */
import { encodeEntry, entryKinds } from "@tallylight/protocol/ledger/entry.js"
import type { Entry, EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { Head, LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { Commit } from "../ledger/writer.ts"

type Numbered = { readonly index: number; readonly entry: Uint8Array }

const eventEntries = 256
/** A multiple of a tile's 256 entries, whose hashes are at hand. */
const stretch = 4096
const eventBytes = 64 * 1024

export function parseKinds(kinds: readonly string[] | null): ReadonlySet<EntryKind> | undefined {
    if (kinds === null) return undefined
    const unknown = kinds.find((kind) => !entryKinds.some((known) => known === kind))
    if (unknown !== undefined) throw new Refusal("malformed", { path: "ReqSubscribe.kinds", kind: unknown })
    return new Set(kinds as EntryKind[])
}

export class Subscription {
    readonly #peer: Peer
    readonly #store: LedgerStore
    readonly #kinds: ReadonlySet<number> | undefined
    readonly #checkpointAt: (size: number) => Promise<string>
    #cursor: number
    #head: Head
    /** The newest commit, which a subscriber that keeps up gets without reading the store. */
    #latest: Commit | undefined
    #wake: (() => void) | undefined
    #ended = false

    constructor(
        peer: Peer,
        store: LedgerStore,
        head: Head,
        from: number,
        kinds: ReadonlySet<EntryKind> | undefined,
        checkpointAt: (size: number) => Promise<string>,
    ) {
        this.#checkpointAt = checkpointAt
        this.#peer = peer
        this.#store = store
        this.#head = head
        this.#cursor = from
        this.#kinds = kinds && new Set([...kinds].map((kind) => entryKinds.indexOf(kind)))
    }

    /** Index of the entry that it gets next. */
    get cursor(): number {
        return this.#cursor
    }

    publish(commit: Commit): void {
        this.#head = commit.head
        this.#latest = commit
        this.#wake?.()
    }

    end(): void {
        this.#ended = true
        this.#wake?.()
    }

    /** Until `end`, or until the peer takes no more, which is how a slow reader is dropped. */
    async run(): Promise<void> {
        while (!this.#ended) {
            if (this.#cursor < this.#head.size) await this.#catchUp(await this.#goal(), this.#latest)
            else await new Promise<void>((resolve) => (this.#wake = resolve))
        }
    }

    /**
     * The checkpoint to go for. A follower keeps what no checkpoint has covered, with all the states in between: one
     * that is far behind gets a checkpoint on the way from time to time.
     */
    async #goal(): Promise<Head> {
        const size = (Math.floor(this.#cursor / stretch) + 1) * stretch
        return size < this.#head.size ? { size, checkpoint: await this.#checkpointAt(size) } : this.#head
    }

    /** Up to one checkpoint, in events that each carry it, so that the last one proves them all. */
    async #catchUp({ size, checkpoint }: Head, latest: Commit | undefined): Promise<void> {
        let batch: Numbered[] = []
        let bytes = 0
        const flush = async (): Promise<void> => {
            await this.#peer.notify("Event", { entries: batch, size, checkpoint })
            batch = []
            bytes = 0
        }
        for await (const entry of this.#entries(size, latest)) {
            const index = this.#cursor++
            if (this.#kinds !== undefined && !this.#kinds.has(entry[0] ?? -1)) continue
            if (batch.length === eventEntries || bytes + entry.length > eventBytes) await flush()
            batch.push({ index, entry })
            bytes += entry.length
            if (this.#ended) return
        }
        if (batch.length > 0 || this.#kinds === undefined) await flush()
    }

    #entries(size: number, latest: Commit | undefined): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
        const fresh = latest?.head.size === size && latest.from <= this.#cursor
        return fresh
            ? encoded(latest.entries.slice(this.#cursor - latest.from))
            : this.#store.read(this.#cursor, size)
    }
}

/** One at a time: a subscriber that reads slowly must not keep a copy of the whole commit. */
function* encoded(entries: readonly Entry[]): Generator<Uint8Array, void> {
    for (const entry of entries) yield encodeEntry(entry)
}

/** A ledger as somebody serves it: nothing in it is verified here but its form. */
import { stat } from "node:fs/promises"
import { setImmediate as turn } from "node:timers/promises"
import { toUtf8 } from "@tallylight/crypto/bytes.js"
import { parseCheckpoint } from "@tallylight/crypto/checkpoint.js"
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { parseNote } from "@tallylight/crypto/note.js"
import { decodeEntryBundle, decodeHashTile, entriesPath, tilePath } from "@tallylight/crypto/tiles.js"
import type { HashTile } from "@tallylight/crypto/tiles.js"
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { UserError } from "@tallylight/node/user-error.js"
import { maxEntryBytes } from "@tallylight/protocol/ledger/entry.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { folderFiles, httpFiles } from "./log-files.ts"
import type { LogFiles } from "./log-files.ts"

export type LedgerSource = {
    /** The address or folder, for messages. */
    readonly where: string
    /** The signed note, which whoever knows the genesis can verify. */
    readonly checkpoint: string
    /** What the checkpoint says. */
    readonly size: number
    /** The entries below that size. Rejects with a Refusal where they are missing or their bundle is malformed. */
    readonly entries: () => AsyncIterable<Uint8Array>
}

export type Head = { readonly note: string; readonly checkpoint: Checkpoint }

export type Bundle = {
    readonly index: number
    readonly width: number
    readonly entries: readonly Uint8Array[]
}

export const fullWidth = 256
const hashBytes = 32
const maxCheckpointBytes = 64 * 1024

export async function httpSource(
    { http, ca }: Pick<ChainAddress, "http" | "ca">,
    signal: AbortSignal,
): Promise<LedgerSource> {
    return openSource(httpFiles(`${http}/log`, ca, signal), signal)
}

export async function folderSource(folder: string, signal: AbortSignal): Promise<LedgerSource> {
    const found = await stat(folder).catch(() => undefined)
    if (found?.isDirectory() !== true) throw new UserError(`there is no folder ${folder}`)
    return openSource(folderFiles(folder), signal)
}

async function openSource(files: LogFiles, signal: AbortSignal): Promise<LedgerSource> {
    const head = await readHead(files)
    if (head === undefined) throw new Refusal("empty-ledger", { missing: `${files.where}/checkpoint` })
    return sourceAt(head, files, signal)
}

/** The ledger as `head`, which was read from it, describes it. */
export function sourceAt({ note, checkpoint }: Head, files: LogFiles, signal: AbortSignal): LedgerSource {
    return {
        where: files.where,
        checkpoint: note,
        size: checkpoint.size,
        entries: () => readEntries(files, checkpoint.size, signal),
    }
}

/** The log's head as it claims to be; undefined where there is none. */
export async function readHead(files: LogFiles): Promise<Head | undefined> {
    const bytes = await files.read("checkpoint", maxCheckpointBytes)
    if (bytes === undefined) return undefined
    const note = toUtf8(bytes) ?? ""
    const checkpoint = parseCheckpoint(parseNote(note)?.text ?? "")
    if (checkpoint === undefined)
        throw new Refusal("bad-checkpoint", { malformed: `${files.where}/checkpoint` })
    return { note, checkpoint }
}

async function* readEntries(
    files: LogFiles,
    size: number,
    signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
    for await (const { entries } of readBundles(files, 0, size)) {
        for (const entry of entries) {
            // Verifying takes all the time there is: sockets and signals get their turn here.
            await turn()
            signal.throwIfAborted()
            yield entry
        }
    }
}

/**
 * The bundles from number `first` on of a log of that size, each fetched while the one before is in use. Nothing
 * here grows with the size, which is only what the server says.
 */
export async function* readBundles(files: LogFiles, first: number, size: number): AsyncGenerator<Bundle> {
    const fetching = (index: number): Promise<Bundle> | undefined => {
        const width = Math.min(fullWidth, size - index * fullWidth)
        if (width <= 0) return undefined
        const bundle = readBundle(files, index, width)
        // A failure is reported when its turn comes; before that it is nobody's unhandled rejection.
        bundle.catch(() => undefined)
        return bundle
    }
    let next = fetching(first)
    for (let index = first; next !== undefined; index += 1) {
        const bundle = await next
        next = fetching(index + 1)
        yield bundle
    }
}

async function readBundle(files: LogFiles, index: number, width: number): Promise<Bundle> {
    const found = await readTile(files, (wide) => entriesPath(index, wide), width, maxEntryBytes + 2)
    const path = `${files.where}/${entriesPath(index, width)}`
    if (found === undefined) throw new Refusal("missing-entries", { path })
    const entries = decodeEntryBundle(found.bytes, found.width)
    if (entries === undefined) throw new Refusal("malformed-entry", { path })
    return { index, width, entries: entries.slice(0, width) }
}

/** The hashes of a tile; undefined where they are missing or not as many as they should be. */
export async function readHashes(
    files: LogFiles,
    { level, index, width }: HashTile,
): Promise<readonly Uint8Array[] | undefined> {
    const found = await readTile(files, (wide) => tilePath({ level, index, width: wide }), width, hashBytes)
    return found && decodeHashTile(found.bytes, found.width)?.slice(0, width)
}

/** C2SP tlog-tiles: logs "MAY delete any partial tile once the corresponding full tile is […] available". */
async function readTile(
    files: LogFiles,
    path: (width: number) => string,
    width: number,
    itemBytes: number,
): Promise<{ readonly bytes: Uint8Array; readonly width: number } | undefined> {
    const bytes = await files.read(path(width), width * itemBytes)
    if (bytes !== undefined) return { bytes, width }
    if (width === fullWidth) return undefined
    const full = await files.read(path(fullWidth), fullWidth * itemBytes)
    return full && { bytes: full, width: fullWidth }
}

/**
 * A ledger as static files at the paths of C2SP tlog-tiles. Its entries are hashed against its tiles, its root and
 * its signed checkpoint; whether it kept the rules is for `verify` to say.
 */
import { join } from "node:path"
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { entriesPath, tilePath } from "@tallylight/crypto/tiles.js"
import { writeDurably } from "@tallylight/node/durable-file.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import {
    dropPartials,
    equalHashes,
    genesisOf,
    openFolder,
    writeBundle,
    writeHashes,
} from "./export-folder.ts"
import { HashTiles } from "./hash-tiles.ts"
import type { MadeTile } from "./hash-tiles.ts"
import type { Earlier } from "./export-folder.ts"
import { fullWidth, readBundles, readHashes, readHead, sourceAt } from "./ledger-source.ts"
import type { Head } from "./ledger-source.ts"
import type { LogFiles } from "./log-files.ts"
import { filePinnedEvidence } from "./pinned-evidence.ts"

export type ExportInput = {
    readonly files: LogFiles
    readonly chain: Uint8Array
    readonly folder: string
    readonly stop: AbortSignal
    readonly onEntries: (done: number, size: number) => void
}

export type Exported = {
    readonly name: string
    readonly size: number
    /** How many of the entries an earlier export had. */
    readonly before: number
}

export async function exportLedger(input: ExportInput): Promise<Exported> {
    const { files, chain, folder, stop, onEntries } = input
    const earlier = await openFolder(folder, chain)
    const head = await readHead(files)
    if (head === undefined) throw new Refusal("empty-ledger", { missing: `${files.where}/checkpoint` })
    const { size, root } = head.checkpoint
    const before = earlier?.head.checkpoint.size ?? 0
    if (earlier !== undefined) requireSigned(head.note, earlier.genesis, files)
    if (earlier !== undefined && size < before) throw await forked(input, earlier, head)

    const tiles = earlier?.tiles ?? new HashTiles()
    const becameFull: string[] = []
    let genesis = earlier?.genesis
    onEntries(tiles.size, size)
    for await (const bundle of readBundles(files, tiles.size / fullWidth, size)) {
        stop.throwIfAborted()
        if (genesis === undefined) {
            genesis = genesisOf(bundle.entries, chain, files.where)
            requireSigned(head.note, genesis, files)
        }
        const made: MadeTile[] = []
        for (const leaf of bundle.entries.map(leafHash)) {
            made.push(...tiles.add(leaf))
            if (
                earlier !== undefined &&
                tiles.size === before &&
                !equalBytes(tiles.root, earlier.head.checkpoint.root)
            )
                throw await forked(input, earlier, head)
        }
        for (const tile of made) {
            if (await copyHashes(input, tile)) continue
            // A tile that reaches back differs in what was exported before, or is wrong: the root would tell.
            const reachesBack = earlier !== undefined && firstEntry(tile) < before
            throw reachesBack ? await forked(input, earlier, head) : wrongHashes(files, tile)
        }
        await writeBundle(folder, bundle)
        if (bundle.width === fullWidth) becameFull.push(entriesPath(bundle.index, fullWidth))
        becameFull.push(...made.map(({ tile }) => tilePath(tile)))
        onEntries(tiles.size, size)
    }
    if (genesis === undefined) throw new Refusal("empty-ledger", { size })
    if (!equalBytes(tiles.root, root)) {
        if (earlier !== undefined) throw await forked(input, earlier, head)
        throw new Refusal("wrong-root", { log: files.where, size })
    }
    for (const tile of tiles.partial()) if (!(await copyHashes(input, tile))) throw wrongHashes(files, tile)
    // Last, and in one step: until here the folder is what it was, with some files that nothing points to.
    await writeDurably(join(folder, "checkpoint"), head.note)
    await dropPartials(folder, becameFull)
    return { name: genesis.name, size, before }
}

function requireSigned(note: string, { origin, ledgerKey }: Genesis, { where }: LogFiles): void {
    if (openCheckpoint(note, { origin, publicKey: ledgerKey }) === undefined)
        throw new Refusal("bad-checkpoint", { log: where })
}

/** The error to end with, once both signed checkpoints are in a file beside the one of the earlier export. */
async function forked(
    { files, folder, stop }: ExportInput,
    { genesis, head: { note, checkpoint } }: Earlier,
    head: Head,
): Promise<UserError> {
    const pinned = { file: join(folder, "checkpoint"), note, checkpoint }
    const { path, convicts } = await filePinnedEvidence(pinned, sourceAt(head, files, stop), genesis)
    const worth = convicts ? "and prove that it signed two histories" : "and convict nobody yet"
    return new UserError(
        `forked: the ledger at ${files.where} does not extend the ${checkpoint.size} entries in ${folder}, which ` +
            `stay what they are; both signed checkpoints are in ${path}, ${worth}`,
    )
}

/**
 * From the log rather than from our own hashes: who exports wants to know that the log's tiles are sound. Resolves to
 * whether this one has the hashes of the log's entries.
 */
async function copyHashes({ files, folder }: ExportInput, made: MadeTile): Promise<boolean> {
    const found = await readHashes(files, made.tile)
    if (found === undefined)
        throw new UserError(`${files.where}/${tilePath(made.tile)} is missing or has a wrong length`)
    if (!equalHashes(found, made)) return false
    await writeHashes(folder, made)
    return true
}

function firstEntry({ tile: { level, index } }: MadeTile): number {
    return index * fullWidth ** (level + 1)
}

function wrongHashes({ where }: LogFiles, { tile }: MadeTile): UserError {
    return new UserError(`${where}/${tilePath(tile)} does not hold the hashes of the log's entries`)
}

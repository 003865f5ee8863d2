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
import { fullWidth, readBundles, readHashes, readHead } from "./ledger-source.ts"
import type { LogFiles } from "./log-files.ts"

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
    const before = earlier?.size ?? 0
    const forked = (): UserError =>
        new UserError(
            `forked: the ledger at ${files.where} does not extend the ${before} entries in ${folder}, which stay ` +
                `what they are. It shows another history now, or was altered on its way. Its checkpoint:\n${head.note}`,
        )
    if (earlier !== undefined) requireSigned(head.note, earlier.genesis, files)
    if (size < before) throw forked()

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
            if (tiles.size === earlier?.size && !equalBytes(tiles.root, earlier.root)) throw forked()
        }
        // A tile that reaches back differs in what was exported before, or is wrong: the root would tell.
        for (const tile of made)
            await copyHashes(input, tile, firstEntry(tile) < before ? forked() : wrongHashes(files, tile))
        await writeBundle(folder, bundle)
        if (bundle.width === fullWidth) becameFull.push(entriesPath(bundle.index, fullWidth))
        becameFull.push(...made.map(({ tile }) => tilePath(tile)))
        onEntries(tiles.size, size)
    }
    if (genesis === undefined) throw new Refusal("empty-ledger", { size })
    if (!equalBytes(tiles.root, root)) {
        if (earlier !== undefined) throw forked()
        throw new Refusal("wrong-root", { log: files.where, size })
    }
    for (const tile of tiles.partial()) await copyHashes(input, tile, wrongHashes(files, tile))
    // Last, and in one step: until here the folder is what it was, with some files that nothing points to.
    await writeDurably(join(folder, "checkpoint"), head.note)
    await dropPartials(folder, becameFull)
    return { name: genesis.name, size, before }
}

function requireSigned(note: string, { origin, ledgerKey }: Genesis, { where }: LogFiles): void {
    if (openCheckpoint(note, { origin, publicKey: ledgerKey }) === undefined)
        throw new Refusal("bad-checkpoint", { log: where })
}

/** From the log rather than from our own hashes: who exports wants to know that the log's tiles are sound. */
async function copyHashes(
    { files, folder }: ExportInput,
    made: MadeTile,
    otherwise: UserError,
): Promise<void> {
    const found = await readHashes(files, made.tile)
    if (found === undefined)
        throw new UserError(`${files.where}/${tilePath(made.tile)} is missing or has a wrong length`)
    if (!equalHashes(found, made)) throw otherwise
    await writeHashes(folder, made)
}

function firstEntry({ tile: { level, index } }: MadeTile): number {
    return index * fullWidth ** (level + 1)
}

function wrongHashes({ where }: LogFiles, { tile }: MadeTile): UserError {
    return new UserError(`${where}/${tilePath(tile)} does not hold the hashes of the log's entries`)
}

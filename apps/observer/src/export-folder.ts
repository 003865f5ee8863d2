/** A folder of static files that holds an export, or may become one. */
import { mkdir, readdir, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { concatBytes, equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { encodeEntryBundle, entriesPath, tilePath } from "@tallylight/crypto/tiles.js"
import { writeDurably } from "@tallylight/node/durable-file.js"
import { UserError } from "@tallylight/node/user-error.js"
import { begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { HashTiles } from "./hash-tiles.ts"
import type { MadeTile } from "./hash-tiles.ts"
import { fullWidth, readBundles, readHashes, readHead } from "./ledger-source.ts"
import type { Bundle, Head } from "./ledger-source.ts"
import { folderFiles } from "./log-files.ts"

/** What an earlier export left: everything its checkpoint covers was hashed again. */
export type Earlier = {
    readonly genesis: Genesis
    readonly head: Head
    /** Over its full bundles, which need not be fetched again. */
    readonly tiles: HashTiles
}

/** Refuses a folder that holds anything else; undefined where there is no finished export yet. */
export async function openFolder(folder: string, chain: Uint8Array): Promise<Earlier | undefined> {
    await mkdir(folder, { recursive: true })
    const names = await readdir(folder)
    if (names.includes("checkpoint")) {
        try {
            return await readEarlier(folder, chain)
        } catch (error) {
            if (!(error instanceof Refusal)) throw error
            throw new UserError(`the export in ${folder} is damaged: ${error.message}`, { cause: error })
        }
    }
    if (names.some((name) => name !== "tile" && !/^\..*\.tmp$/.test(name)))
        throw new UserError(`${folder} is not empty and no export of a ledger; name another --out`)
    return undefined
}

async function readEarlier(folder: string, chain: Uint8Array): Promise<Earlier> {
    const files = folderFiles(folder)
    const head = await readHead(files)
    if (head === undefined || head.checkpoint.size === 0) throw new Refusal("empty-ledger")
    const { size, root } = head.checkpoint
    const whole = new HashTiles()
    const tiles = new HashTiles()
    let genesis: Genesis | undefined
    for await (const { index, width, entries } of readBundles(files, 0, size)) {
        genesis ??= genesisOf(entries, chain, folder)
        for (const leaf of entries.map(leafHash)) {
            whole.add(leaf)
            if (width < fullWidth) continue
            for (const made of tiles.add(leaf)) {
                const { level } = made.tile
                if (!equalHashes(await readHashes(files, made.tile), made))
                    throw new Refusal("wrong-root", { level, bundle: index })
            }
        }
    }
    if (genesis === undefined || !equalBytes(whole.root, root)) throw new Refusal("wrong-root")
    const { origin, ledgerKey: publicKey } = genesis
    if (openCheckpoint(head.note, { origin, publicKey }) === undefined) throw new Refusal("bad-checkpoint")
    return { genesis, head, tiles }
}

/** The genesis in a ledger's first bundle, which names the keys that everything else is held to. */
export function genesisOf(entries: readonly Uint8Array[], chain: Uint8Array, where: string): Genesis {
    const [first] = entries
    if (first === undefined) throw new Refusal("empty-ledger")
    const state = begin(decodeEntry(first))
    if (!equalBytes(state.chain, chain))
        throw new UserError(`${where} is the ledger of chain ${toHex(state.chain)}, not of ${toHex(chain)}`)
    return state.genesis
}

export function equalHashes(found: readonly Uint8Array[] | undefined, { hashes }: MadeTile): boolean {
    return found !== undefined && equalBytes(concatBytes(...found), concatBytes(...hashes))
}

export async function writeBundle(folder: string, { index, width, entries }: Bundle): Promise<void> {
    await writeTile(folder, entriesPath(index, width), encodeEntryBundle(entries))
}

export async function writeHashes(folder: string, { tile, hashes }: MadeTile): Promise<void> {
    await writeTile(folder, tilePath(tile), concatBytes(...hashes))
}

async function writeTile(folder: string, path: string, bytes: Uint8Array): Promise<void> {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeDurably(file, bytes)
}

/** Partial tiles whose full tile is there; until then a reader of an older checkpoint may need them. */
export async function dropPartials(folder: string, paths: readonly string[]): Promise<void> {
    for (const path of paths) await rm(join(folder, `${path}.p`), { recursive: true, force: true })
}

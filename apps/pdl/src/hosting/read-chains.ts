/** What lies in the chains of a data directory, whether a ledger server runs on it or not. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { chainFolders, ledgerPath } from "./chain-folder.ts"
import type { ChainFolder } from "./chain-folder.ts"

export type ListedChain = {
    readonly id: string
    readonly name: string
    /** Entries in its ledger. */
    readonly size: number
    readonly folder: string
}

export async function readChains(dir: Pick<DataDir, "path" | "file">): Promise<ListedChain[]> {
    return Promise.all((await chainFolders(dir)).map(readChain))
}

export async function readChain(folder: ChainFolder): Promise<ListedChain> {
    const store = await openSqliteStore(ledgerPath(folder), { create: false })
    try {
        const { size } = await store.head()
        for await (const bytes of store.read(0, Math.min(size, 1))) {
            const { chain, genesis } = begin(decodeEntry(bytes))
            return { id: toHex(chain), name: genesis.name, size, folder: folder.path }
        }
    } finally {
        await store.close()
    }
    throw new Error(`the ledger in ${folder.path} is empty: it was never initialised`)
}

/** Where the chains of a PDL lie in its data directory: each in a folder of its own, with its ledger and its keys. */
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { readKeyFile } from "@tallylight/node/key-files.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import type { ChainKeys } from "../chain/keys.ts"

export type ChainFolder = {
    /** Of the folder, for messages and logs. */
    readonly name: string
    readonly path: string
}

export const keyFiles = {
    ledger: "keys/ledger.key",
    message: "keys/message.key",
    vrf: "keys/vrf.key",
} as const

export function ledgerPath({ path }: ChainFolder): string {
    return join(path, "ledger.db")
}

/** `Main net` lies in `main-net`: one spelling, since some file systems do not tell upper case from lower. */
export function chainFolder({ file }: Pick<DataDir, "file">, chainName: string): ChainFolder {
    const name = chainName
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, "-")
        .replace(/-$/, "")
    return { name, path: file(join("chains", name)) }
}

/** In the order of their names, and at least one. */
export async function chainFolders(dir: Pick<DataDir, "path" | "file">): Promise<ChainFolder[]> {
    const folders = await foldersSoFar(dir)
    if (folders.length === 0)
        throw new UserError(
            `there is no chain in ${dir.file("chains")}; put its folder back, or make one with add-chain`,
        )
    return folders
}

/** Whatever else lies there, such as what a crash left of a new chain, is none. */
export async function foldersSoFar(dir: Pick<DataDir, "file">): Promise<ChainFolder[]> {
    const path = dir.file("chains")
    const names = await readdir(path).catch((error: unknown) => {
        if (systemCode(error) === "ENOENT") return []
        throw error
    })
    return names
        .filter((name) => /^[a-z0-9][a-z0-9-]*$/.test(name))
        .sort()
        .map((name) => ({ name, path: join(path, name) }))
}

export async function isThere({ path }: ChainFolder): Promise<boolean> {
    return stat(path).then(
        () => true,
        () => false,
    )
}

export async function readKeys({ path }: ChainFolder): Promise<ChainKeys> {
    return {
        ledgerSeed: await readKeyFile(join(path, keyFiles.ledger), "ledger"),
        messageSeed: await readKeyFile(join(path, keyFiles.message), "message"),
        vrfSeed: await readKeyFile(join(path, keyFiles.vrf), "vrf"),
    }
}

/** A new chain in a data directory: its keys, its genesis entry, its ledger of one entry. */
import { mkdir, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { syncFolder } from "@tallylight/node/durable-file.js"
import { createKeyFile } from "@tallylight/node/key-files.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { chainId, ledgerVersion } from "@tallylight/protocol/chain/genesis.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import type { ChainKeys } from "../chain/keys.ts"
import type { PdlConfig } from "../config.ts"
import { createChain } from "../ledger/beginning.ts"
import { createOperatorKey, givenOperator, operatorKeyPath } from "../operator/key.ts"
import { chainFolder, foldersSoFar, isThere, keyFiles, ledgerPath, readKeys } from "./chain-folder.ts"
import { readChain } from "./read-chains.ts"

/** Resolves to the chain's id. Its folder gets its name when it is complete. */
export async function makeChain(dir: DataDir, config: PdlConfig["chain"]): Promise<Uint8Array> {
    const folder = chainFolder(dir, config.name)
    if (await isThere(folder)) throw nameTaken(`${folder.path} exists`)
    // A folder may have any name, as after an upgrade: what a chain is called is in its first entry.
    for (const other of await foldersSoFar(dir)) {
        const { name } = await readChain(other)
        if (chainFolder(dir, name).path === folder.path)
            throw nameTaken(`the chain in ${other.path} is called ${name}`)
    }
    const operator = givenOperator(config)
    const draft = { ...folder, path: `${folder.path}.new` }
    await rm(draft.path, { recursive: true, force: true })
    await mkdir(join(draft.path, "keys"), { recursive: true, mode: 0o700 })
    for (const [purpose, path] of Object.entries(keyFiles) as [keyof typeof keyFiles, string][])
        await createKeyFile(join(draft.path, path), purpose, systemRandom(32))
    const keys = await readKeys(draft)
    const operatorKey = operator ?? (await createOperatorKey(operatorKeyPath(draft.path)))
    const genesis = genesisOf(config, keys, operatorKey)
    const store = await openSqliteStore(ledgerPath(draft), { create: true })
    try {
        await createChain(store, genesis, keys.ledgerSeed)
    } finally {
        await store.close()
    }
    await syncFolder(draft.path)
    await rename(draft.path, folder.path)
    await syncFolder(dirname(folder.path))
    await syncFolder(dir.path)
    return chainId(genesis)
}

function nameTaken(where: string): UserError {
    return new UserError(
        `${where}: no two chains of one ledger server have the same name; choose another with --name`,
    )
}

function genesisOf(
    { name, origin, ...parameters }: PdlConfig["chain"],
    keys: ChainKeys,
    operatorKey: Uint8Array,
): Genesis {
    const salt = systemRandom(32)
    const slug = name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")
    return {
        kind: "genesis",
        time: systemClock.now(),
        version: ledgerVersion,
        name,
        salt,
        ledgerKey: ed25519PublicKey(keys.ledgerSeed),
        messageKey: ed25519PublicKey(keys.messageSeed),
        vrfKey: vrfPublicKey(keys.vrfSeed),
        // Witnesses and auditors tell logs apart by this name, so two chains of one name must differ in it.
        origin: origin ?? `tallylight/${slug}/${toHex(salt.slice(0, 8))}`,
        witnesses: [],
        quorum: 0,
        parameters: { ...parameters, operatorKey },
    }
}

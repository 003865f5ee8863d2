/** A new chain in a new data directory: its keys, its genesis entry, its ledger of one entry. */
import { mkdir } from "node:fs/promises"
import { toHex } from "@tallylight/crypto/bytes.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { createKeyFile, readKeyFile } from "@tallylight/node/key-files.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { protocolVersion } from "@tallylight/protocol/chain/genesis.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import { createChain } from "./chain.ts"
import type { ChainKeys } from "./chain.ts"
import type { PdlConfig } from "./config.ts"

export const ledgerFile = "ledger.db"

const keyPaths = {
    ledger: "keys/ledger.key",
    message: "keys/message.key",
    vrf: "keys/vrf.key",
} as const

export async function readKeys({ file }: DataDir): Promise<ChainKeys> {
    return {
        ledgerSeed: await readKeyFile(file(keyPaths.ledger), "ledger"),
        messageSeed: await readKeyFile(file(keyPaths.message), "message"),
        vrfSeed: await readKeyFile(file(keyPaths.vrf), "vrf"),
    }
}

export async function fillDataDir(dir: DataDir, config: PdlConfig["chain"]): Promise<void> {
    await mkdir(dir.file("keys"), { mode: 0o700 })
    for (const [purpose, path] of Object.entries(keyPaths) as [keyof typeof keyPaths, string][])
        await createKeyFile(dir.file(path), purpose, systemRandom(32))
    const keys = await readKeys(dir)
    const store = await openSqliteStore(dir.file(ledgerFile), { create: true })
    try {
        await createChain(store, genesisOf(config, keys), keys.ledgerSeed)
    } finally {
        await store.close()
    }
}

function genesisOf({ name, origin, ...parameters }: PdlConfig["chain"], keys: ChainKeys): Genesis {
    const salt = systemRandom(32)
    const slug = name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")
    return {
        kind: "genesis",
        time: systemClock.now(),
        version: protocolVersion,
        name,
        salt,
        ledgerKey: ed25519PublicKey(keys.ledgerSeed),
        messageKey: ed25519PublicKey(keys.messageSeed),
        vrfKey: vrfPublicKey(keys.vrfSeed),
        // Witnesses and auditors tell logs apart by this name, so two chains of one name must differ in it.
        origin: origin ?? `tallylight/${slug}/${toHex(salt.slice(0, 8))}`,
        witnesses: [],
        quorum: 0,
        parameters: { ...parameters, admission: "open", operatorKey: new Uint8Array(32) },
    }
}

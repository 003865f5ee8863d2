import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"

import { storeConformance } from "./store.ts"

storeConformance("SqliteStore", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tallylight-store-"))
    const path = join(folder, "ledger.sqlite")
    const opened: LedgerStore[] = []
    const open = async (create: boolean): Promise<LedgerStore> => {
        const store = await openSqliteStore(path, { create })
        opened.push(store)
        return store
    }
    return {
        store: await open(true),
        reopen: () => open(false),
        async cleanup() {
            for (const store of opened) await store.close()
            await rm(folder, { recursive: true })
        },
    }
})

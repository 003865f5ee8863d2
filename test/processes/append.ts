/** append PATH LABEL BATCHES: appends batches of growing size to a ledger, and prints each size it was promised. */
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { StaleHead } from "@tallylight/protocol/ports/ledger-store.js"

const [, , path = "", label = "", batches = ""] = process.argv
const store = await openSqliteStore(path, { create: false })
for (let batch = 0; batch < Number(batches);) {
    const head = await store.head()
    const entries = Array.from({ length: 1 + ((batch * 37) % 300) }, (_, i) =>
        Buffer.from(`${label} ${batch} ${i}`.padEnd(400, ".")),
    )
    try {
        const { size } = await store.append(head, entries, `checkpoint of ${head.size + entries.length}`)
        process.stdout.write(`${size}\n`)
        batch += 1
    } catch (error) {
        // Somebody else was first.
        if (!(error instanceof StaleHead)) throw error
    }
}
await store.close()

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { nextLine, run } from "../../../test/processes/run.ts"
import { SqliteConnection } from "./sqlite-connection.ts"
import { openSqliteStore } from "./sqlite-store.ts"
import { UserError } from "./user-error.ts"

const empty = { size: 0, checkpoint: "" }

let folder: string
let path: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-sqlite-"))
    path = join(folder, "ledger.sqlite")
})
afterEach(() => rm(folder, { recursive: true }))

async function change(sql: string): Promise<void> {
    const connection = await SqliteConnection.open(path, "create")
    try {
        await connection.exec(sql)
    } finally {
        await connection.close()
    }
}

async function texts(store: LedgerStore): Promise<string[]> {
    const read: string[] = []
    const { size } = await store.head()
    for await (const entry of store.read(0, size))
        read.push(Buffer.from(entry).toString().replace(/\.+$/, ""))
    return read
}

describe("the ledger file", () => {
    test("is not made by opening it, and the sentence says what to do", async () => {
        await expect(openSqliteStore(path, { create: false })).rejects.toThrow(
            new UserError(
                `there is no ledger ${path}; “Backup” in docs/OPERATING.md says what may take its place`,
            ),
        )
        expect(await readdir(folder)).toStrictEqual([])
    })

    test("is never begun over another one", async () => {
        const store = await openSqliteStore(path, { create: true })
        await store.append(empty, [Uint8Array.of(1)], "one")
        const refused = new UserError(`${path} exists already; a ledger is never begun over another one`)
        await expect(openSqliteStore(path, { create: true })).rejects.toThrow(refused)
        await store.close()
        await expect(openSqliteStore(path, { create: true })).rejects.toThrow(refused)
        expect(await readdir(folder)).toStrictEqual(["ledger.sqlite"])
    })

    test("is begun by one of several at once", async () => {
        const outcomes = await Promise.allSettled(
            [1, 2, 3].map(() => openSqliteStore(path, { create: true })),
        )
        const opened = outcomes.filter((outcome) => outcome.status === "fulfilled")
        expect(opened).toHaveLength(1)
        for (const { value } of opened) await value.close()
    })

    test("is not begun beside the log of an earlier one, which SQLite would replay into it", async () => {
        await writeFile(`${path}-wal`, "")
        await expect(openSqliteStore(path, { create: true })).rejects.toThrow(`${path}-wal exists already`)
    })

    test("of a newer version is refused", async () => {
        await (await openSqliteStore(path, { create: true })).close()
        await change("PRAGMA user_version = 2")
        await expect(openSqliteStore(path, { create: false })).rejects.toThrow(
            new UserError(
                `the ledger file ${path} has version 2, made by a newer Tallylight; this one reads up to version 1`,
            ),
        )
    })

    test("must be a ledger", async () => {
        await change("CREATE TABLE songs (title TEXT)")
        const refused = new UserError(`${path} is not a ledger file`)
        await expect(openSqliteStore(path, { create: false })).rejects.toThrow(refused)
        await rm(path)
        await writeFile(path, "a text of some length, which is no database at all".repeat(100))
        await expect(openSqliteStore(path, { create: false })).rejects.toThrow(refused)
        await writeFile(path, "")
        await expect(openSqliteStore(path, { create: false })).rejects.toThrow(refused)
    })

    test("syncs every commit, in the write-ahead log", async () => {
        await (await openSqliteStore(path, { create: true })).close()
        const connection = await SqliteConnection.open(path, "read")
        expect(await connection.all("PRAGMA journal_mode")).toStrictEqual([{ journal_mode: "wal" }])
        expect(await connection.all("PRAGMA synchronous")).toStrictEqual([{ synchronous: 2 }])
        await connection.close()
    })

    test("lets nobody change or remove an entry", async () => {
        const store = await openSqliteStore(path, { create: true })
        await store.append(empty, [Uint8Array.of(1)], "one")
        await expect(change("UPDATE entries SET entry = x'02'")).rejects.toThrow(
            "a ledger entry never changes",
        )
        await expect(change("DELETE FROM entries")).rejects.toThrow("a ledger entry never goes")
        await store.close()
    })

    test("tells when entries are missing rather than reading on", async () => {
        const store = await openSqliteStore(path, { create: true })
        await store.append(
            empty,
            [1, 2, 3].map((n) => Uint8Array.of(n)),
            "three",
        )
        await change("DROP TRIGGER entries_never_go; DELETE FROM entries WHERE idx = 1")
        await expect(texts(store)).rejects.toThrow("the ledger file has lost entries between 0 and 3")
        await store.close()
    })
})

describe("an append", () => {
    test("that failed is followed by none before the file is opened again", async () => {
        const store = await openSqliteStore(path, { create: true })
        const head = await store.append(empty, [Uint8Array.of(1)], "one")
        await change(
            "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(FAIL, 'disk full'); END",
        )
        await expect(store.append(head, [Uint8Array.of(2)], "two")).rejects.toThrow("disk full")
        await change("DROP TRIGGER full")
        await expect(store.append(head, [Uint8Array.of(2)], "two")).rejects.toThrow("after a failed append")
        expect(await store.head()).toStrictEqual(head)
        await store.close()
        const again = await openSqliteStore(path, { create: false })
        expect(await again.append(head, [Uint8Array.of(2)], "two")).toStrictEqual({
            size: 2,
            checkpoint: "two",
        })
        await again.close()
    })

    test("of ten thousand entries is one", async () => {
        const store = await openSqliteStore(path, { create: true })
        const entries = Array.from({ length: 10_000 }, (_, i) => Buffer.from(`entry ${i}`))
        await store.append(empty, entries, "many")
        expect(await texts(store)).toStrictEqual(entries.map(String))
        await store.close()
    })

    test("is finished before the store is closed, and closing twice is no harm", async () => {
        const store = await openSqliteStore(path, { create: true })
        const appending = store.append(empty, [Uint8Array.of(1)], "one")
        await Promise.all([store.close(), store.close()])
        expect((await appending).size).toBe(1)
        await expect(store.append(await appending, [], "two")).rejects.toThrow()
    })
})

describe("two processes on one ledger", () => {
    test("take turns, and neither loses an entry", async () => {
        await (await openSqliteStore(path, { create: true })).close()
        const writers = ["a", "b"].map((label) => run("append.ts", path, label, "20"))
        for (const { ended } of writers) expect(await ended).toMatchObject({ code: 0, stderr: "" })
        const store = await openSqliteStore(path, { create: false })
        const read = await texts(store)
        const expected = (label: string): string[] =>
            Array.from({ length: 20 }, (_, batch) =>
                Array.from({ length: 1 + ((batch * 37) % 300) }, (_, i) => `${label} ${batch} ${i}`),
            ).flat()
        for (const label of ["a", "b"]) {
            expect(read.filter((text) => text.startsWith(label))).toStrictEqual(expected(label))
        }
        expect(await store.head()).toStrictEqual({
            size: read.length,
            checkpoint: `checkpoint of ${read.length}`,
        })
        await store.close()
    })
})

describe("a process that is killed while it appends", () => {
    const kills = process.env.SLOW === undefined ? 4 : 40

    test("leaves a whole ledger with everything that it was promised", async () => {
        await (await openSqliteStore(path, { create: true })).close()
        let before: string[] = []
        for (let kill = 0; kill < kills; kill += 1) {
            const writer = run("append.ts", path, `run${kill}`, "1000000")
            let promised = 0
            for (let i = 0; i < 3 + kill * 5; i += 1) promised = Number(await nextLine(writer))
            writer.kill("SIGKILL")
            const { stdout, signal } = await writer.ended
            expect(signal).toBe("SIGKILL")
            // The last line may be torn; those before it were promises.
            promised = Math.max(promised, Number(stdout.split("\n").at(-2)))

            const store = await openSqliteStore(path, { create: false })
            const { size, checkpoint } = await store.head()
            expect(size).toBeGreaterThanOrEqual(promised)
            expect(checkpoint).toBe(`checkpoint of ${size}`)
            const read = await texts(store)
            expect(read.slice(0, before.length)).toStrictEqual(before)
            // Whole batches only, in order.
            const added = read.slice(before.length)
            const batches = Math.max(...added.map((text) => Number(text.split(" ")[1]))) + 1
            const expected = Array.from({ length: batches }, (_, batch) =>
                Array.from({ length: 1 + ((batch * 37) % 300) }, (_, i) => `run${kill} ${batch} ${i}`),
            ).flat()
            expect(added).toStrictEqual(expected)
            before = read
            await store.close()
        }
    })
})

test("entries of every size are read in order, however the pages fall", async () => {
    const store = await openSqliteStore(path, { create: true })
    const sizes = [1, 65_535, 65_536, 2, 65_535, 1, ...Array.from({ length: 600 }, (_, at) => at)]
    const entries = sizes.map((size, at) => new Uint8Array(Math.max(1, size)).fill(at))
    await store.append(empty, entries, "one")
    for (const [from, to] of [
        [0, 606],
        [1, 3],
        [5, 5],
        [2, 605],
    ] as const) {
        const read = []
        for await (const entry of store.read(from, to)) read.push(entry)
        expect(read).toStrictEqual(entries.slice(from, to))
    }
    await store.close()
})

test("many reads of one ledger leave threads to another", async () => {
    const stores = await Promise.all(
        ["crowded.sqlite", "quiet.sqlite"].map((name) =>
            openSqliteStore(join(folder, name), { create: true }),
        ),
    )
    const [crowded, quiet] = stores
    const entries = Array.from({ length: 256 }, () => new Uint8Array(200))
    for (const store of stores) await store.append(empty, entries, "all")
    let waiting = 0
    const crowd = Array.from({ length: 300 }, async () => {
        waiting += 1
        if (crowded !== undefined) await texts(crowded)
        waiting -= 1
    })
    await quiet?.append({ size: 256, checkpoint: "all" }, entries, "more")
    expect(waiting).toBeGreaterThan(150)
    await Promise.all(crowd)
    await Promise.all(stores.map((store) => store.close()))
})

/** What files of every kind have in common; that of ledgers is tried further beside sqlite-store.ts. */
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { SqliteConnection } from "./sqlite-connection.ts"
import { connectToSqliteFile, createSqliteFile, openSqliteFile } from "./sqlite-file.ts"
import type { SqliteFormat } from "./sqlite-file.ts"
import { UserError } from "./user-error.ts"

const songs: SqliteFormat = {
    applicationId: 0x544c534f,
    version: 3,
    tables: "CREATE TABLE songs (title TEXT) STRICT; INSERT INTO songs VALUES ('first');",
    mode: 0o600,
    named: (path) => `the song book ${path}`,
    foreign: (path) => `${path} is no song book`,
}

let folder: string
let path: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-sqlite-"))
    path = join(folder, "songs.db")
})
afterEach(() => rm(folder, { recursive: true }))

type Opening = (path: string) => Promise<SqliteConnection>
const make: Opening = (path) => openSqliteFile(path, songs)
const find: Opening = (path) => connectToSqliteFile(path, songs, "write", "there are no songs")
const create = () => createSqliteFile(path, songs, "songs are never begun over others")

/** As another program would, or an older or newer version of this one. */
async function change(sql: string): Promise<void> {
    const connection = await SqliteConnection.open(path, "create")
    await connection.exec(sql)
    await connection.close()
}

async function modes(): Promise<number[]> {
    const names = await readdir(folder)
    return Promise.all(names.map(async (name) => (await stat(join(folder, name))).mode & 0o777))
}

async function titles(open: Opening): Promise<unknown> {
    const connection = await open(path)
    const rows = await connection.all("SELECT title FROM songs")
    await connection.close()
    return rows
}

describe("a file", () => {
    test.each<[string, Opening]>([
        ["made by opening it", make],
        ["made before", find],
    ])("%s is for those alone whom its mode names, with what SQLite puts beside it", async (_, open) => {
        if (open === find) await create()
        const connection = await open(path)
        await connection.exec("INSERT INTO songs VALUES ('second')")
        expect(await modes()).toStrictEqual([0o600, 0o600, 0o600])
        await connection.close()
    })

    test("of one program is not made over another's, nor beside a log that would be replayed into it", async () => {
        await create()
        const refused = (name: string) =>
            new UserError(`${name} exists already; songs are never begun over others`)
        await expect(create()).rejects.toThrow(refused(path))
        await rm(path)
        await writeFile(`${path}-wal`, "")
        await expect(create()).rejects.toThrow(refused(`${path}-wal`))
        expect(await readdir(folder)).toStrictEqual(["songs.db-wal"])
    })

    test("that is missing or empty is made where it may be, and nowhere else", async () => {
        await expect(find(path)).rejects.toThrow(new UserError("there are no songs"))
        expect(await readdir(folder)).toStrictEqual([])
        // What a crash can leave.
        for (const leave of [() => writeFile(path, ""), () => change("PRAGMA journal_mode = WAL")]) {
            await leave()
            await expect(find(path)).rejects.toThrow(new UserError(`${path} is no song book`))
            expect(await titles(make)).toStrictEqual([{ title: "first" }])
            await rm(path)
        }
        expect(await titles(make)).toStrictEqual([{ title: "first" }])
        expect(await titles(make)).toStrictEqual([{ title: "first" }])
        expect(await titles(find)).toStrictEqual([{ title: "first" }])
    })

    test.each<[string, Opening]>([
        ["that it may make", make],
        ["that must be there", find],
    ])("%s is opened where it is one of ours, of this version or an older one", async (_, open) => {
        const opened = () => open(path).then((connection) => connection.close())
        await create()
        await opened()
        await change("PRAGMA user_version = 2")
        await opened()
        await change("PRAGMA user_version = 4")
        await expect(opened()).rejects.toThrow(
            new UserError(
                `the song book ${path} has version 4, made by a newer Tallylight; this one reads up to version 3`,
            ),
        )
        await change("PRAGMA user_version = 3; PRAGMA application_id = 1")
        const foreign = new UserError(`${path} is no song book`)
        await expect(opened()).rejects.toThrow(foreign)
        await change("PRAGMA application_id = 0; PRAGMA user_version = 0")
        await expect(opened()).rejects.toThrow(foreign)
        await rm(path)
        await writeFile(path, "a text of some length, which is no database at all".repeat(100))
        await expect(opened()).rejects.toThrow(foreign)
    })

    test.each<[string, Opening]>([
        ["made by opening it", make],
        ["made before", find],
    ])("%s is synced at every commit, in the write-ahead log, and keeps its references", async (_, open) => {
        if (open === find) await create()
        const connection = await open(path)
        expect(await connection.all("PRAGMA journal_mode")).toStrictEqual([{ journal_mode: "wal" }])
        expect(await connection.all("PRAGMA synchronous")).toStrictEqual([{ synchronous: 2 }])
        expect(await connection.all("PRAGMA foreign_keys")).toStrictEqual([{ foreign_keys: 1 }])
        await connection.close()
    })
})

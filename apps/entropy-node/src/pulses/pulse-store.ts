/**
 * The pulses of a node, and what makes them follow each other: values that are committed to, the message that is being
 * signed, certificates. What a reader finds is durable, and of no chain there are two pulses of one index.
 */
import { dirname } from "node:path"

import { equalBytes, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { lockFolder } from "@tallylight/node/process-lock.js"
import type { ProcessLock } from "@tallylight/node/process-lock.js"
import type { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { UserError } from "@tallylight/node/user-error.js"
import { encodePulseMessage } from "@tallylight/protocol/pulse/pulse.js"

import type { LocalValue } from "../core/core.ts"
import type { Certificate } from "./certificate.ts"
import { connectToPulses, createPulseFile } from "./pulse-file.ts"
import type { PublishedPulse } from "./pulse-reader.ts"
import { draftOf, formatLinks, publish } from "./pulse-row.ts"
import type { Draft, DraftRow } from "./pulse-row.ts"
import { SqlitePulseReader } from "./sqlite-pulse-reader.ts"

/** In a folder of its own, which one store at a time has. */
export class PulseStore {
    readonly published: SqlitePulseReader
    readonly #lock: ProcessLock
    /** Used by one change at a time: statements of two would land in one transaction. */
    readonly #writer: SqliteConnection
    #lastChange: Promise<unknown> = Promise.resolve()
    #failure: unknown

    private constructor(lock: ProcessLock, writer: SqliteConnection, published: SqlitePulseReader) {
        this.#lock = lock
        this.#writer = writer
        this.published = published
    }

    static create(path: string): Promise<void> {
        return createPulseFile(path)
    }

    static async open(path: string): Promise<PulseStore> {
        const lock = await lockFolder(dirname(path))
        try {
            const writer = await connectToPulses(path, "write")
            const reader = await connectToPulses(path, "read")
            return new PulseStore(lock, writer, new SqlitePulseReader(reader))
        } catch (error) {
            await lock.release()
            throw error
        }
    }

    /** Begins the chain where there is none of that index. `followed` is empty for a periodic one. */
    async openChain(chain: number, followed: string): Promise<void> {
        await this.#change(async (writer) => {
            await writer.run("INSERT OR IGNORE INTO chains VALUES (?, ?)", [chain, followed])
        })
        const [found] = await this.#writer.all<{ followed: string }>(
            "SELECT followed FROM chains WHERE chain = ?",
            [chain],
        )
        if (found?.followed === followed) return
        const other =
            found?.followed === "" ? "periodic pulses" : `pulses of the chain ${found?.followed ?? ""}`
        throw new UserError(`pulse chain ${chain} has ${other} already; give the new one another chainIndex`)
    }

    /**
     * The index, `first` or above, of the chain that has the pulses of that followed one: the lowest free one where
     * there is none. One below `first` is left as it is: whoever raised that wants another one.
     */
    followerOf(followed: string, first: number): Promise<number> {
        return this.#change(async (writer) => {
            const [found] = await writer.all<{ chain: number }>(
                "SELECT chain FROM chains WHERE followed = ? AND chain >= ? ORDER BY chain DESC",
                [followed, first],
            )
            if (found !== undefined) return found.chain
            const [free] = await writer.all<{ chain: number }>(
                `SELECT MIN(chain) AS chain FROM (SELECT ? AS chain UNION SELECT chain + 1 FROM chains WHERE chain >= ?)
                 WHERE chain NOT IN (SELECT chain FROM chains)`,
                [first, first],
            )
            const chain = free?.chain ?? first
            await writer.run("INSERT INTO chains VALUES (?, ?)", [chain, followed])
            return chain
        })
    }

    async localValue(chain: number, slot: number): Promise<LocalValue | undefined> {
        const [row] = await this.#writer.all<{ value: Buffer; sources: string; simulated: number }>(
            "SELECT value, sources, simulated FROM local_values WHERE chain = ? AND slot = ?",
            [chain, slot],
        )
        if (row === undefined) return undefined
        const sources = row.sources.split("\n")
        return { value: new Uint8Array(row.value), sources, simulated: row.simulated === 1 }
    }

    /** Those with a value still to be opened in which a simulated source had part. */
    async chainsWithSimulated(): Promise<readonly number[]> {
        const last = "SELECT COALESCE(MAX(slot), -1) FROM pulses WHERE pulses.chain = chains.chain"
        const rows = await this.#writer.all<{ chain: number }>(
            `SELECT chain FROM chains WHERE EXISTS (
                SELECT 1 FROM local_values AS ahead
                WHERE ahead.chain = chains.chain AND slot > (${last}) AND simulated = 1
            )`,
        )
        return rows.map(({ chain }) => chain)
    }

    /** Only once it is kept, for good, may anything of it be told. */
    keepLocalValue(chain: number, slot: number, { value, sources, simulated }: LocalValue): Promise<void> {
        return this.#change(async (writer) => {
            const row = [chain, slot, value, sources.join("\n"), simulated ? 1 : 0]
            await writer.run("INSERT INTO local_values VALUES (?, ?, ?, ?, ?)", row)
        })
    }

    async draft(chain: number): Promise<Draft | undefined> {
        const [row] = await this.#writer.all<DraftRow>(
            "SELECT slot, message, links, simulated FROM drafts WHERE chain = ?",
            [chain],
        )
        return row && draftOf(row)
    }

    /** From now on this is what is signed as the chain's next pulse, also after a crash. */
    keepDraft({ message, linkUris, simulated, slot }: Draft, externalSource: string): Promise<void> {
        const { chainIndex, pulseIndex, timeStamp } = message
        return this.#change(async (writer) => {
            if (externalSource !== "") {
                const id = sha512(utf8(externalSource))
                await writer.run("INSERT OR IGNORE INTO external_sources VALUES (?, ?)", [id, externalSource])
            }
            const content = [encodePulseMessage(message), formatLinks(linkUris), simulated ? 1 : 0]
            await writer.run("INSERT INTO drafts VALUES (?, ?, ?, ?, ?, ?, ?)", [
                ...[chainIndex, pulseIndex, timeStamp, slot],
                ...content,
            ])
        })
    }

    /** For one that can no longer be signed: the certificate that it names is of a key that is gone. */
    dropDraft(chain: number): Promise<void> {
        return this.#change(async (writer) => {
            await writer.run("DELETE FROM drafts WHERE chain = ?", [chain])
        })
    }

    /** Makes the chain's draft its next pulse, which everybody sees from then on. */
    publish(draft: Draft, signature: Uint8Array, output: Uint8Array): Promise<PublishedPulse> {
        const { chainIndex, pulseIndex } = draft.message
        return this.#change(async (writer) => {
            const inserted = await writer.run(
                `INSERT INTO pulses SELECT chain, idx, time, slot, message, links, simulated, ?, ?
                 FROM drafts WHERE chain = ? AND idx = ?`,
                [signature, output, chainIndex, pulseIndex],
            )
            if (inserted !== 1) throw new Error("what was signed is not the chain's next pulse")
            await writer.run("DELETE FROM drafts WHERE chain = ?", [chainIndex])
            return publish(draft, signature, output)
        })
    }

    /** Newest first. */
    async certificates(): Promise<readonly Certificate[]> {
        const rows = await this.#writer.all<{ id: Buffer; der: Buffer }>(
            "SELECT id, der FROM certificates ORDER BY added DESC",
        )
        return rows.map(({ id, der }) => ({ id: new Uint8Array(id), der: new Uint8Array(der) }))
    }

    async keepCertificate({ id, der }: Certificate): Promise<void> {
        const known = await this.certificates()
        if (known.some((other) => equalBytes(other.id, id))) return
        await this.#change(async (writer) => {
            await writer.run("INSERT INTO certificates VALUES (?, ?, ?)", [id, der, known.length])
        })
    }

    async close(): Promise<void> {
        await this.#lastChange.catch(() => undefined)
        await this.published.close()
        await this.#writer.close()
        await this.#lock.release()
    }

    #change<Result>(change: (writer: SqliteConnection) => Promise<Result>): Promise<Result> {
        const changed = this.#lastChange.then(() => this.#commit(change))
        this.#lastChange = changed.catch(() => undefined)
        return changed
    }

    async #commit<Result>(change: (writer: SqliteConnection) => Promise<Result>): Promise<Result> {
        // After a failed sync the kernel may call the same pages clean: a second try could "succeed" without them.
        if (this.#failure !== undefined)
            throw new Error("the pulses were used after a failed change", { cause: this.#failure })
        try {
            await this.#writer.exec("BEGIN IMMEDIATE")
            const result = await change(this.#writer)
            await this.#writer.exec("COMMIT")
            return result
        } catch (error) {
            this.#failure = error
            // Fails where SQLite has rolled back by itself, as it does on a full disk.
            await this.#writer.exec("ROLLBACK").catch(() => undefined)
            throw error
        }
    }
}

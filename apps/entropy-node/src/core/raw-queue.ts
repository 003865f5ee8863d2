/**
 * Raw bytes that wait for readers, in the order in which they came. A byte is deleted, durably, before it is handed
 * out: a crash may lose bytes that nobody got, and never gives one to two readers.
 */
import type { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { QueueEmpty, type Consumption, type QueueSettings, type RawBytes } from "./node-core.ts"
import {
    addChunks,
    amountOf,
    countBytes,
    dropSource,
    dropUntil,
    gather,
    joinPieces,
    nothing,
    start,
    sumOf,
    type Amount,
    type Piece,
    type SourceBytes,
} from "./raw-chunks.ts"
import type { RawFile } from "./raw-file.ts"

/** What is in the file says nothing of how the sources are now. */
export type TakenBytes = Omit<RawBytes, "degraded">

type Waiting = {
    readonly length: number
    readonly resolve: (taken: TakenBytes) => void
    readonly reject: (error: unknown) => void
}

export class RawQueue {
    readonly #file: RawFile
    readonly #configured: QueueSettings & { readonly consumption: Consumption }
    #settings: QueueSettings
    #consumption: Consumption
    #amount = nothing
    #handedOut = 0
    /** Where the next reader begins if bytes are kept. */
    #next = start
    #waiting: Waiting[] = []
    #serving = false
    /** Sources whose bytes nobody may get any more, until those are gone. */
    #dropping: readonly string[] = []
    /** Whether bytes that left may still be in the file's log. */
    #inLog = false

    private constructor(file: RawFile, configured: QueueSettings & { readonly consumption: Consumption }) {
        this.#file = file
        this.#configured = configured
        this.#settings = configured
        this.#consumption = configured.consumption
    }

    /** What was set with {@link set} goes before what is configured. */
    static async open(
        file: RawFile,
        configured: QueueSettings & { readonly consumption: Consumption },
    ): Promise<RawQueue> {
        const queue = new RawQueue(file, configured)
        await file.transaction((connection) => queue.#load(connection))
        return queue
    }

    get settings(): QueueSettings {
        return this.#settings
    }

    get consumption(): Consumption {
        return this.#consumption
    }

    /** That wait. */
    get bytes(): number {
        return this.#amount.bytes
    }

    /** Whether any byte that waits is of a simulated source; it may have given way to hardware since. */
    get simulated(): boolean {
        return this.#amount.simulated > 0
    }

    /** Since the file was made. */
    get handedOut(): number {
        return this.#handedOut
    }

    get room(): number {
        return Math.max(0, this.#settings.capacity - this.bytes)
    }

    /** Adds as many of the bytes as there is room for, and resolves to how many once they are durable. */
    put({ bytes, source, simulated }: SourceBytes): Promise<number> {
        return this.#file.transaction(
            async (connection) => {
                const fitting = bytes.subarray(0, this.room)
                await addChunks(connection, { bytes: fitting, source, simulated })
                return fitting.length
            },
            (added) => this.#add({ bytes: added, simulated: simulated ? added : 0 }),
        )
    }

    /** Exactly `length` bytes; rejects with {@link QueueEmpty} where fewer wait, and then takes none. */
    take(length: number): Promise<TakenBytes> {
        const taken = new Promise<TakenBytes>((resolve, reject) => {
            this.#waiting.push({ length, resolve, reject })
        })
        if (!this.#serving) void this.#serve()
        return taken
    }

    /** Resolves once it is durable. A smaller capacity drops the oldest bytes. */
    async set(settings: Partial<QueueSettings>): Promise<QueueSettings> {
        await this.#file.transaction(
            async (connection) => {
                const { capacity = this.#settings.capacity, chunk = this.#settings.chunk } = settings
                // What was not set stays what is configured, whatever that will be.
                if ("capacity" in settings) await connection.run("UPDATE queue SET capacity = ?", [capacity])
                if ("chunk" in settings) await connection.run("UPDATE queue SET chunk = ?", [chunk])
                const surplus = await gather(connection, start, Math.max(0, this.bytes - capacity))
                await dropUntil(connection, surplus.next)
                return amountOf(surplus.pieces)
            },
            (dropped) => {
                this.#settings = { ...this.#settings, ...settings }
                this.#remove(dropped)
                if (dropped.bytes > 0) this.#next = start
            },
        )
        return this.#settings
    }

    /**
     * Resolves once it is durable. Bytes that were handed out and kept, and all that lie among them, are dropped by
     * `once`: from now on each has one reader.
     */
    async setConsumption(consumption: Consumption): Promise<Consumption> {
        await this.#file.transaction(
            async (connection) => {
                await connection.run("UPDATE queue SET consumption = ?", [consumption])
                return consumption === "once" && (await dropKept(connection))
            },
            (dropped) => {
                this.#consumption = consumption
                this.#next = start
                if (dropped) this.#remove(this.#amount)
            },
        )
        return consumption
    }

    /** From the call on nobody gets bytes of that source; resolves to how many waited, once they are deleted. */
    async drop(source: string): Promise<number> {
        this.#dropping = [...this.#dropping, source]
        const { bytes } = await this.#file.transaction(
            (connection) => dropSource(connection, source),
            (dropped) => {
                this.#dropping = this.#dropping.toSpliced(this.#dropping.indexOf(source), 1)
                this.#remove(dropped)
                if (dropped.bytes > 0) this.#next = start
            },
        )
        return bytes
    }

    /** What left since the last time leaves the file's log too, where it would stay in clear. */
    async forget(): Promise<void> {
        if (this.#inLog) await this.#file.emptyLog(() => (this.#inLog = false))
    }

    async #load(connection: SqliteConnection): Promise<void> {
        const [found] = await connection.all<{
            capacity: number | null
            chunk: number | null
            consumption: Consumption | null
            handedOut: number
        }>("SELECT capacity, chunk, consumption, handed_out AS handedOut FROM queue")
        if (found === undefined) throw new Error("the file of raw bytes has lost its settings")
        const { capacity, chunk, consumption } = this.#configured
        this.#settings = { capacity: found.capacity ?? capacity, chunk: found.chunk ?? chunk }
        this.#consumption = found.consumption ?? consumption
        this.#handedOut = found.handedOut
        // The configuration may have said `keep` until now.
        if (this.#consumption === "once") this.#inLog = await dropKept(connection)
        this.#amount = await countBytes(connection)
    }

    #add(amount: Amount): void {
        this.#amount = sumOf([this.#amount, amount])
    }

    #remove({ bytes, simulated }: Amount): void {
        this.#add({ bytes: -bytes, simulated: -simulated })
        if (bytes > 0) this.#inLog = true
    }

    async #serve(): Promise<void> {
        this.#serving = true
        while (this.#waiting.length > 0) await this.#serveGroup()
        this.#serving = false
    }

    /** All that wait share one commit: each alone would cost a sync of the disk. */
    async #serveGroup(): Promise<void> {
        let group: Waiting[] = []
        try {
            await this.#file.transaction(
                (connection) => {
                    group = this.#waiting.splice(0)
                    return this.#answer(connection, group)
                },
                ({ answers, next, taken, dropped }) => {
                    this.#next = next
                    this.#remove(dropped)
                    // As the file counts them, also what nobody gets.
                    this.#handedOut += taken.bytes
                    const again: Waiting[] = []
                    for (const { waiting, pieces, available } of answers) {
                        if (pieces === undefined) waiting.reject(new QueueEmpty(available))
                        else if (this.#isAnyDropped(pieces)) again.push(waiting)
                        else waiting.resolve(this.#join(waiting.length, pieces))
                    }
                    // Behind the deletion that they have outrun.
                    this.#waiting.unshift(...again)
                },
            )
        } catch (error) {
            // Whether their bytes are gone is not known: nobody gets them.
            for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error)
        }
    }

    async #answer(connection: SqliteConnection, group: readonly Waiting[]) {
        const once = this.#consumption === "once"
        const answers = []
        let next = once ? start : this.#next
        let available = this.bytes
        let taken = nothing
        for (const waiting of group) {
            if (waiting.length > available) {
                answers.push({ waiting, pieces: undefined, available })
                continue
            }
            const gathered = await gather(connection, next, waiting.length)
            answers.push({ waiting, pieces: gathered.pieces, available })
            next = gathered.next
            taken = sumOf([taken, amountOf(gathered.pieces)])
            if (once) available -= waiting.length
        }
        if (once) await dropUntil(connection, next)
        if (taken.bytes > 0) {
            await connection.run("UPDATE queue SET handed_out = handed_out + ?, kept = ?", [
                taken.bytes,
                once ? 0 : 1,
            ])
        }
        return { answers, next: once ? start : next, taken, dropped: once ? taken : nothing }
    }

    #isAnyDropped(pieces: readonly Piece[]): boolean {
        return pieces.some(({ row }) => this.#dropping.includes(row.source))
    }

    #join(length: number, pieces: readonly Piece[]): TakenBytes {
        return { ...joinPieces(length, pieces), consumption: this.#consumption }
    }
}

/** Whether there may have been any. */
async function dropKept(connection: SqliteConnection): Promise<boolean> {
    const kept = await connection.run("UPDATE queue SET kept = 0 WHERE kept = 1", [])
    if (kept === 0) return false
    await connection.run("DELETE FROM chunks", [])
    return true
}

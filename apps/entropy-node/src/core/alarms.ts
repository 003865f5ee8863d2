/** What went wrong with the sources, kept for whoever looks later. */
import type { Alarm } from "./node-core.ts"
import type { RawFile } from "./raw-file.ts"

/** In the file: a source that fails every minute fills it in a week. */
const keptAlarms = 10_000
/** For the status. */
const latestAlarms = 20

export class AlarmBook {
    readonly #file: RawFile
    #latest: readonly Alarm[] = []

    private constructor(file: RawFile) {
        this.#file = file
    }

    static async open(file: RawFile): Promise<AlarmBook> {
        const book = new AlarmBook(file)
        book.#latest = await file.transaction((connection) =>
            connection.all<Alarm>("SELECT id, time, source, what FROM alarms ORDER BY id DESC LIMIT ?", [
                latestAlarms,
            ]),
        )
        return book
    }

    /** Newest first. */
    get latest(): readonly Alarm[] {
        return this.#latest
    }

    /** Resolves once it is durable. */
    async add({ time, source, what }: Omit<Alarm, "id">): Promise<void> {
        await this.#file.transaction(
            async (connection) => {
                const [alarm] = await connection.all<Alarm>(
                    "INSERT INTO alarms (time, source, what) VALUES (?, ?, ?) RETURNING id, time, source, what",
                    [Math.round(time), source, what],
                )
                await connection.run("DELETE FROM alarms WHERE id <= (SELECT MAX(id) FROM alarms) - ?", [
                    keptAlarms,
                ])
                return alarm === undefined ? [] : [alarm]
            },
            (added) => (this.#latest = [...added, ...this.#latest].slice(0, latestAlarms)),
        )
    }
}

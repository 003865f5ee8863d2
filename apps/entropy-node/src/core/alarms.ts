/** What went wrong with the sources, kept for whoever looks later. */
import type { Alarm } from "./node-core.ts"
import type { RawFile } from "./raw-file.ts"

/** A source that fails every minute fills a week. */
const keptAlarms = 10_000

export class AlarmBook {
    readonly #file: RawFile

    constructor(file: RawFile) {
        this.#file = file
    }

    /** Resolves once it is durable. */
    async add(alarm: Omit<Alarm, "id">): Promise<void> {
        await this.#file.transaction(async (connection) => {
            await connection.run("INSERT INTO alarms (time, source, what) VALUES (?, ?, ?)", [
                Math.round(alarm.time),
                alarm.source,
                alarm.what,
            ])
            await connection.run("DELETE FROM alarms WHERE id <= (SELECT MAX(id) FROM alarms) - ?", [
                keptAlarms,
            ])
        })
    }

    /** Newest first. */
    async latest(count: number): Promise<Alarm[]> {
        return this.#file.transaction((connection) =>
            connection.all<Alarm>("SELECT id, time, source, what FROM alarms ORDER BY id DESC LIMIT ?", [
                count,
            ]),
        )
    }
}

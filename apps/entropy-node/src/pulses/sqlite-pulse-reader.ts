/** The published pulses in their file, through a connection that never sees a row before it is durable. */
import type { SqliteConnection, SqlValue } from "@tallylight/node/sqlite-connection.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Pulse } from "@tallylight/protocol/pulse/pulse.js"
import { utcUnits } from "@tallylight/protocol/pulse/utc.js"
import type { UtcUnit } from "@tallylight/protocol/pulse/utc.js"

import { mostPulses, TooManyPulses } from "./pulse-reader.ts"
import type { PublishedPulse, PulseReader, PulseTime } from "./pulse-reader.ts"
import { publishedOf } from "./pulse-row.ts"
import type { PulseRow } from "./pulse-row.ts"
import { startOfUnit } from "./utc-start.ts"

const columns = "slot, message, links, simulated, signature, output"

/** Of the periodic chains, or, where there is none, of all. */
const mainChains = `chain IN (
    SELECT chain FROM chains WHERE (followed = '') = (SELECT MAX(followed = '') FROM chains)
)`

const timeQueries: Record<PulseTime, string> = {
    "at-or-next": `time >= ? AND ${mainChains} ORDER BY time, chain LIMIT 1`,
    next: `time > ? AND ${mainChains} ORDER BY time, chain LIMIT 1`,
    previous: `time < ? AND ${mainChains} ORDER BY time DESC, chain DESC LIMIT 1`,
}

export class SqlitePulseReader implements PulseReader {
    readonly #connection: SqliteConnection

    constructor(connection: SqliteConnection) {
        this.#connection = connection
    }

    last(chain: number | "last"): Promise<PublishedPulse | undefined> {
        return chain === "last"
            ? this.#one(`${mainChains} ORDER BY time DESC, chain DESC LIMIT 1`)
            : this.#one("chain = ? ORDER BY idx DESC LIMIT 1", chain)
    }

    lastOfEach(): Promise<readonly PublishedPulse[]> {
        const last = "SELECT MAX(idx) FROM pulses WHERE pulses.chain = chains.chain"
        return this.#all(`(chain, idx) IN (SELECT chain, (${last}) FROM chains) ORDER BY chain`)
    }

    at(chain: number, index: number): Promise<PublishedPulse | undefined> {
        return this.#one("chain = ? AND idx = ?", chain, index)
    }

    bySlot(chain: number, slot: number): Promise<PublishedPulse | undefined> {
        return this.#one("chain = ? AND slot = ?", chain, slot)
    }

    byTime(time: UnixMs, which: PulseTime): Promise<PublishedPulse | undefined> {
        return this.#one(timeQueries[which], time)
    }

    async skipList(chain: number, from: number, to: number): Promise<readonly PublishedPulse[] | undefined> {
        if (from > to || (await this.#timeOf(chain, from)) === undefined) return undefined
        if ((await this.#timeOf(chain, to)) === undefined) return undefined
        const jumps: number[] = []
        let index = to
        for (;;) {
            jumps.unshift(index)
            const jump = index === from ? undefined : await this.#longestLink(chain, index, from)
            if (jump === undefined) break
            index = jump
        }
        // What is left lies within one hour, through which only the links to the previous pulse lead.
        if (jumps.length + index - from > mostPulses) throw new TooManyPulses()
        const hour = await this.#all("chain = ? AND idx >= ? AND idx < ? ORDER BY idx", chain, from, index)
        const found = `chain = ? AND idx IN (${jumps.join(", ")}) ORDER BY idx`
        return [...hour, ...(await this.#all(found, chain))]
    }

    async skipListByTime(from: UnixMs, to: UnixMs): Promise<readonly PublishedPulse[] | undefined> {
        const older = (await this.byTime(from, "at-or-next"))?.pulse
        const newer = (await this.byTime(to, "at-or-next"))?.pulse
        if (older === undefined || newer?.chainIndex !== older.chainIndex) return undefined
        return this.skipList(older.chainIndex, older.pulseIndex, newer.pulseIndex)
    }

    async between(from: UnixMs, to: UnixMs): Promise<readonly PublishedPulse[]> {
        const found = `time BETWEEN ? AND ? AND ${mainChains}`
        const [count] = await this.#connection.all<{ n: number }>(
            `SELECT COUNT(*) AS n FROM (SELECT 1 FROM pulses WHERE ${found} LIMIT ${mostPulses + 1})`,
            [from, to],
        )
        if ((count?.n ?? 0) > mostPulses) throw new TooManyPulses()
        return this.#all(`${found} ORDER BY time, chain LIMIT ${mostPulses}`, from, to)
    }

    async certificate(id: Uint8Array): Promise<Uint8Array | undefined> {
        const [row] = await this.#connection.all<{ der: Buffer }>(
            "SELECT der FROM certificates WHERE id = ?",
            [id],
        )
        return row && new Uint8Array(row.der)
    }

    async externalSource(id: Uint8Array): Promise<string | undefined> {
        const [row] = await this.#connection.all<{ text: string }>(
            "SELECT text FROM external_sources WHERE id = ?",
            [id],
        )
        return row?.text
    }

    /** The first pulse of the chain in the UTC unit of that time, which must have one. */
    async firstOf(unit: UtcUnit, chain: number, time: UnixMs): Promise<Pulse> {
        const first = await this.#one(
            "chain = ? AND time >= ? ORDER BY time LIMIT 1",
            chain,
            startOfUnit(unit, time),
        )
        if (first === undefined) throw new Error("the file of pulses has lost some")
        return first.pulse
    }

    close(): Promise<void> {
        return this.#connection.close()
    }

    /** The earliest pulse, but none before `oldest`, that one of those links leads to which skip some. */
    async #longestLink(chain: number, index: number, oldest: number): Promise<number | undefined> {
        const previous = await this.#timeOf(chain, index - 1)
        if (previous === undefined) throw new Error("the file of pulses has lost some")
        for (const unit of utcUnits.toReversed()) {
            const [first] = await this.#connection.all<{ idx: number }>(
                "SELECT idx FROM pulses WHERE chain = ? AND time >= ? ORDER BY time LIMIT 1",
                [chain, startOfUnit(unit, previous)],
            )
            if (first !== undefined && first.idx >= oldest) return first.idx
        }
        return undefined
    }

    async #timeOf(chain: number, index: number): Promise<UnixMs | undefined> {
        const [row] = await this.#connection.all<{ time: number }>(
            "SELECT time FROM pulses WHERE chain = ? AND idx = ?",
            [chain, index],
        )
        return row?.time
    }

    async #one(which: string, ...values: SqlValue[]): Promise<PublishedPulse | undefined> {
        return (await this.#all(which, ...values))[0]
    }

    async #all(which: string, ...values: SqlValue[]): Promise<PublishedPulse[]> {
        const rows = await this.#connection.all<PulseRow>(
            `SELECT ${columns} FROM pulses WHERE ${which}`,
            values,
        )
        return rows.map(publishedOf)
    }
}

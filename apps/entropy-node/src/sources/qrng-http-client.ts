/** One server, asked no more often than it allows, also by whoever opens the source again. */
import { tlsProblem } from "@tallylight/node/tls-problem.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import { request, type Dispatcher } from "undici"

import type { QrngHttpSettings } from "./qrng-http-settings.ts"

export type Question = {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly maxBytes: number
    readonly dispatcher: Dispatcher
}

/** Where a server that has had enough does not say for how long. */
const defaultPauseMs = 60_000

/** Where it says that it would answer at once. */
const shortestPauseMs = 1000

/** No server is left alone for longer, whatever date it sends. */
const longestPauseMs = 24 * 3600 * 1000

export class QrngClient {
    readonly #settings: QrngHttpSettings
    readonly #clock: Clock
    /** Until when the server wants no request, by the clock's `elapsed`. */
    #unwantedUntil = 0
    /** When the next one is due by our own settings, by the same clock. */
    #dueAt = 0

    constructor(settings: QrngHttpSettings, clock: Clock) {
        this.#settings = settings
        this.#clock = clock
    }

    /** The body; rejects with a UserError where only a person can help, else with an Error that names the server. */
    async get(question: Question, signal: AbortSignal): Promise<Uint8Array> {
        const { url, patienceMs, minIntervalMs } = this.#settings
        let patientUntil = this.#clock.elapsed() + patienceMs
        for (;;) {
            // Our own pace is no wish of the server's, and takes nothing of our patience.
            patientUntil += await this.#waitUntil(this.#dueAt, signal)
            // No time is named: with another one at each attempt, each would be an alarm of its own.
            if (this.#unwantedUntil > Math.max(patientUntil, this.#clock.elapsed()))
                throw new Error(`${url} asks to be left alone for longer than patienceMs, ${patienceMs} ms`)
            await this.#waitUntil(this.#unwantedUntil, signal)
            this.#dueAt = this.#clock.elapsed() + minIntervalMs
            const body = await this.#ask(question, signal)
            if (body !== undefined) return body
        }
    }

    /** For how many milliseconds it waited. */
    async #waitUntil(moment: number, signal: AbortSignal): Promise<number> {
        signal.throwIfAborted()
        const begun = this.#clock.elapsed()
        if (moment <= begun) return 0
        await this.#clock.sleep(moment - begun, signal)
        return this.#clock.elapsed() - begun
    }

    /** Undefined where the server has had enough for now. */
    async #ask(question: Question, signal: AbortSignal): Promise<Uint8Array | undefined> {
        const { timeoutMs } = this.#settings
        const late = AbortSignal.timeout(timeoutMs)
        try {
            return await untilAny([signal, late], (over) => this.#answer(question, over))
        } catch (error) {
            signal.throwIfAborted()
            if (error instanceof UserError) throw error
            const reason = late.aborted ? `it has not answered for ${timeoutMs} ms` : reasonOf(error)
            throw new Error(`cannot read ${this.#settings.url}: ${reason}`, { cause: error })
        }
    }

    async #answer(
        { url, headers, maxBytes, dispatcher }: Question,
        signal: AbortSignal,
    ): Promise<Uint8Array | undefined> {
        // No cache on the way may keep the bytes, nor give anybody's once more.
        const fresh = { ...headers, "cache-control": "no-store" }
        const response = await request(url, { headers: fresh, dispatcher, signal })
        const { statusCode, body } = response
        if (statusCode === 200) return await readAtMost(body, maxBytes)
        const retryAfter = response.headers["retry-after"]
        await body.dump({ limit: 16_384, signal })
        if (statusCode === 429 || (statusCode === 503 && retryAfter !== undefined)) {
            this.#unwantedUntil = this.#clock.elapsed() + this.#pauseMs(String(retryAfter))
            return undefined
        }
        if (statusCode === 401 || statusCode === 403) throw this.#refused(statusCode)
        throw new Error(`it answers ${statusCode}`)
    }

    #refused(status: number): UserError {
        const { url } = this.#settings
        if (this.#settings.api !== "anu") return new UserError(`${url} refuses to answer (${status})`)
        return new UserError(
            `${url} refuses the key in ${this.#settings.keyFile} (${status}); ask for another one`,
        )
    }

    /** Seconds, or a date (RFC 9110 §10.2.3). */
    #pauseMs(retryAfter: string): number {
        const pause = /^\d+$/.test(retryAfter)
            ? 1000 * Number(retryAfter)
            : Date.parse(retryAfter) - this.#clock.now()
        if (Number.isNaN(pause)) return defaultPauseMs
        return Math.min(Math.max(pause, shortestPauseMs), longestPauseMs)
    }
}

class TooLarge extends Error {}

async function readAtMost(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    let length = 0
    // Leaving the loop ends the rest of the answer.
    for await (const chunk of body) {
        length += chunk.length
        if (length > maxBytes)
            throw new TooLarge(`it gives more than the ${maxBytes} bytes of a right answer`)
        chunks.push(chunk)
    }
    return new Uint8Array(Buffer.concat(chunks))
}

function reasonOf(error: unknown): string {
    // What is said of certificates names the option of command lines.
    const tls = tlsProblem(error)?.replaceAll("--ca", "caFile")
    if (tls !== undefined) return tls
    if (systemCode(error) === "ECONNREFUSED") return "nothing listens there"
    return error instanceof Error ? error.message : String(error)
}

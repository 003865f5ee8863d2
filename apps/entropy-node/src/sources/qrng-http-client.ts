/** One server, asked no more often than it allows, also by whoever opens the source again. */
import { tlsProblem } from "@tallylight/node/tls-problem.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
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
    /** By the clock's `elapsed`. */
    #notBefore = 0

    constructor(settings: QrngHttpSettings, clock: Clock) {
        this.#settings = settings
        this.#clock = clock
    }

    /** The body; rejects with a UserError where only a person can help, else with an Error that names the server. */
    async get(question: Question, signal: AbortSignal): Promise<Uint8Array> {
        const patientUntil = this.#clock.elapsed() + this.#settings.patienceMs
        for (;;) {
            await this.#wait(patientUntil, signal)
            this.#notBefore = this.#clock.elapsed() + this.#settings.minIntervalMs
            const body = await this.#ask(question, signal)
            if (body !== undefined) return body
        }
    }

    async #wait(patientUntil: number, signal: AbortSignal): Promise<void> {
        signal.throwIfAborted()
        const now = this.#clock.elapsed()
        if (this.#notBefore > Math.max(patientUntil, now)) {
            const seconds = Math.ceil((this.#notBefore - now) / 1000)
            throw new Error(`${this.#settings.url} asks to be left alone for ${seconds} s`)
        }
        if (this.#notBefore > now) await this.#clock.sleep(this.#notBefore - now, signal)
    }

    /** Undefined where the server has had enough for now. */
    async #ask(
        { url, headers, maxBytes, dispatcher }: Question,
        signal: AbortSignal,
    ): Promise<Uint8Array | undefined> {
        const { timeoutMs } = this.#settings
        const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
        try {
            const response = await request(url, { headers, dispatcher, signal: stop })
            const { statusCode, body } = response
            if (statusCode === 200) return await readAtMost(body, maxBytes)
            const retryAfter = response.headers["retry-after"]
            await body.dump({ limit: 16_384, signal: stop })
            if (statusCode === 429 || (statusCode === 503 && retryAfter !== undefined)) {
                this.#notBefore = this.#clock.elapsed() + this.#pauseMs(String(retryAfter))
                return undefined
            }
            if (statusCode === 401 || statusCode === 403) throw this.#refused(statusCode)
            throw new Error(`it answers ${statusCode}`)
        } catch (error) {
            signal.throwIfAborted()
            if (error instanceof UserError) throw error
            const reason = stop.aborted ? `it has not answered for ${timeoutMs} ms` : reasonOf(error)
            throw new Error(`cannot read ${this.#settings.url}: ${reason}`, { cause: error })
        }
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

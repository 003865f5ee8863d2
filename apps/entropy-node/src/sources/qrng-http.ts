/**
 * A quantum generator that is asked over HTTP. Its bytes have passed through another machine, and whoever runs that
 * may keep them: one more reason to mix sources, and none to have no other.
 */
import { readIfThere } from "@tallylight/node/durable-file.js"
import { refuseReadableByOthers } from "@tallylight/node/key-files.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { Agent } from "undici"

import { QrngClient } from "./qrng-http-client.ts"
import { qrngRequest } from "./qrng-http-format.ts"
import { RecentAnswers } from "./qrng-http-repeats.ts"
import type { QrngHttpSettings } from "./qrng-http-settings.ts"
import type { Source, SourceDriver, SourceFacts } from "./source.ts"

export function qrngHttpDriver(settings: QrngHttpSettings, clock: Clock = systemClock): SourceDriver {
    const server = { client: new QrngClient(settings, clock), answers: new RecentAnswers() }
    return {
        kind: settings.kind,
        simulated: false,
        async open(signal) {
            const headers = settings.api === "anu" ? { "x-api-key": await readApiKey(settings.keyFile) } : {}
            const ca = settings.caFile === undefined ? undefined : await readCa(settings.caFile)
            const source = new QrngHttp(settings, server, headers, ca)
            try {
                await source.fill(1, signal)
            } catch (error) {
                await source.close()
                signal.throwIfAborted()
                throw asUserError(error)
            }
            return source
        },
    }
}

/** What outlives a source that is given up, and is the next one's too. */
type Server = { readonly client: QrngClient; readonly answers: RecentAnswers }

class QrngHttp implements Source {
    readonly facts: SourceFacts
    readonly #settings: QrngHttpSettings
    readonly #server: Server
    readonly #headers: Readonly<Record<string, string>>
    readonly #agent: Agent
    /** Of the last answer, not given to anybody yet. */
    #left = new Uint8Array()

    constructor(
        settings: QrngHttpSettings,
        server: Server,
        headers: Readonly<Record<string, string>>,
        ca: string | undefined,
    ) {
        this.#settings = settings
        this.#server = server
        this.#headers = headers
        this.#agent = new Agent(ca === undefined ? {} : { connect: { ca } })
        const { api, url } = settings
        this.facts = { api, url, authorities: ca === undefined ? "public" : "private" }
    }

    async read(length: number, signal: AbortSignal): Promise<Uint8Array> {
        if (this.#left.length === 0) await this.fill(length, signal)
        const bytes = this.#left.slice(0, length)
        // What is given is not kept.
        this.#left.fill(0, 0, bytes.length)
        this.#left = this.#left.subarray(bytes.length)
        return bytes
    }

    async fill(length: number, signal: AbortSignal): Promise<void> {
        const { path, maxBytes, parse } = qrngRequest(this.#settings, length)
        const url = `${this.#settings.url.replace(/\/$/, "")}${path}`
        const question = { url, headers: this.#headers, maxBytes, dispatcher: this.#agent }
        const { client, answers } = this.#server
        const body = await client.get(question, signal)
        try {
            const bytes = parse(body)
            answers.add(bytes)
            this.#left = new Uint8Array(bytes)
        } catch (error) {
            const problem = error instanceof Error ? error.message : String(error)
            throw new Error(`cannot use the answer of ${this.#settings.url}: ${problem}`, { cause: error })
        }
    }

    async close(): Promise<void> {
        this.#left.fill(0)
        await this.#agent.destroy()
    }
}

async function readApiKey(path: string): Promise<string> {
    const content = await readIfThere(path)
    if (content === undefined)
        throw new UserError(`there is no key file ${path}; write the key of the service to it`)
    await refuseReadableByOthers(path)
    const key = content.toString("latin1").replace(/\r?\n$/, "")
    if (!/^[!-~]{1,256}$/.test(key)) throw new UserError(`${path} must hold one line, the key of the service`)
    return key
}

async function readCa(path: string): Promise<string> {
    const content = await readIfThere(path)
    if (content === undefined) throw new UserError(`there is no file ${path} with certificates`)
    const pem = content.toString("latin1")
    if (!pem.includes("-----BEGIN CERTIFICATE-----"))
        throw new UserError(`${path} holds no certificate in PEM; get it from the operator of the server`)
    return pem
}

function asUserError(error: unknown): unknown {
    if (error instanceof UserError || !(error instanceof Error)) return error
    return new UserError(error.message, { cause: error })
}

/** What answers parties in the place of an entropy node: honest, until a test says how it is not. */
import { once } from "node:events"
import { createServer as createPlain } from "node:http"
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import { createServer as createTls } from "node:https"
import { concatBytes, toHex, toUtf8, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { drawAnswerJson, drawPath, drawRequest } from "@tallylight/node/draw-exchange.js"
import type { DrawAnswer, DrawRequest } from "@tallylight/node/draw-exchange.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { makeStatement } from "@tallylight/protocol/round/statement.js"
import type { EntropyAccount } from "@tallylight/protocol/round/statement.js"
import type { Certificate } from "../certificates.ts"

export type Reply = { readonly status: number; readonly body: string; readonly location?: string }

export type StandInOptions = {
    readonly seed?: string
    readonly tls?: Certificate
    readonly socketPath?: string
    /** Of a stand-in before, to take its place. */
    readonly port?: number
    readonly token?: string
}

export class EntropyStandIn {
    readonly signer
    /** As parties asked, in their order. */
    readonly asked: DrawRequest[] = []
    /** What it gave, as parties must not tell anybody: in hexadecimal. */
    readonly given: string[] = []
    /** What it says instead of its honest answer; undefined where it says nothing at all. */
    reply: (honest: DrawAnswer, request: DrawRequest) => Reply | undefined = (honest) => ({
        status: 200,
        body: JSON.stringify(drawAnswerJson(honest)),
    })
    /** Laid over its status. */
    status: Readonly<Record<string, unknown>> = {}
    readonly #options: StandInOptions
    readonly #server
    #port = 0

    static async listen(options: StandInOptions = {}): Promise<EntropyStandIn> {
        const standIn = new EntropyStandIn(options)
        const { socketPath, port = 0 } = options
        if (socketPath === undefined) standIn.#server.listen(port, "127.0.0.1")
        else standIn.#server.listen(socketPath)
        await once(standIn.#server, "listening")
        const address = standIn.#server.address()
        if (typeof address === "object") standIn.#port = address?.port ?? 0
        return standIn
    }

    private constructor(options: StandInOptions) {
        this.#options = options
        this.signer = seedSigner(sha512(utf8(options.seed ?? "entropy node")).slice(0, 32))
        const listener: RequestListener = (request, response) => void this.#answer(request, response)
        this.#server = options.tls === undefined ? createPlain(listener) : createTls(options.tls, listener)
    }

    get identity(): string {
        return toHex(this.signer.publicKey)
    }

    /** Also when it has closed. */
    get port(): number {
        return this.#port
    }

    get url(): string {
        const { tls, socketPath } = this.#options
        if (socketPath !== undefined) return `unix:${socketPath}`
        return `${tls === undefined ? "http" : "https"}://127.0.0.1:${this.port}`
    }

    close(): void {
        this.#server.closeAllConnections()
        this.#server.close()
    }

    /** As it would sign it for that party in that round. */
    statement(request: DrawRequest, signer = this.signer): Uint8Array {
        const rest = { simulated: true, state: "healthy", lock: "locked", bytes: 4096, failures: 0 } as const
        const account: Omit<EntropyAccount, "node"> = {
            time: 1_800_000_000_000,
            reseeds: 7,
            sources: [{ name: "chip", kind: "atecc608a", ...rest }],
        }
        return makeStatement(request, request.identity, signer, account)
    }

    async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
        const { token } = this.#options
        if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
            return void response.writeHead(401).end(JSON.stringify({ detail: "nobody here has that token" }))
        if (request.url === "/api/v1/status") return void response.end(JSON.stringify(this.#status()))
        if (request.method !== "POST" || request.url !== drawPath) return void response.writeHead(404).end()
        const asked = drawRequest.parse(
            JSON.parse(toUtf8(concatBytes(...((await request.toArray()) as Uint8Array[]))) ?? ""),
        )
        this.asked.push(asked)
        const count = utf8(`${this.asked.length} of ${this.identity}`)
        const honest = { bytes: sha512(count), statement: this.statement(asked) }
        this.given.push(toHex(honest.bytes))
        const reply = this.reply(honest, asked)
        if (reply === undefined) return
        const { status, body, location } = reply
        response.writeHead(status, location === undefined ? {} : { location }).end(body)
    }

    #status(): Readonly<Record<string, unknown>> {
        const source = { name: "chip", kind: "atecc608a", state: "healthy", reason: "", simulated: false }
        return { identity: this.identity, simulated: false, unready: [], sources: [source], ...this.status }
    }
}

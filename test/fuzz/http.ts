/** Requests that no browser sends, to the real server over real sockets. */
import { once } from "node:events"
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { utf8 } from "@tallylight/crypto/bytes.js"
import type { Serving } from "../http/serving.ts"
import { Dice } from "./dice.ts"
import { FuzzFailure } from "./fuzz.ts"
import type { FuzzOptions } from "./fuzz.ts"
import { mutate } from "./mutate.ts"

export type FuzzedHttp = {
    readonly target: "http"
    readonly inputs: number
    /** How many were answered with each status; 0 stands for a connection that was closed without an answer. */
    readonly statuses: Readonly<Record<number, number>>
}

/** A few at a time, as long as it takes; the first answer that is a defect of the server is thrown. */
export async function fuzzHttp(
    { url, id, failures }: Pick<Serving, "url" | "id" | "failures">,
    { seed, inputs, onProgress }: FuzzOptions,
): Promise<FuzzedHttp> {
    const corpus = requests(id)
    const dice = new Dice(seed)
    const statuses: Record<number, number> = {}
    const { hostname, port } = new URL(url)
    let number = 0
    const client = async (): Promise<void> => {
        while (number < inputs) {
            const own = number++
            const input = mutate(corpus, dice)
            const status = await statusOf(hostname, Number(port), input)
            const isDefect = status >= 500 && status !== 501 && status !== 505
            if (isDefect || failures.length > 0)
                throw new FuzzFailure("http", seed, own, input, failures[0] ?? `status ${status}`)
            statuses[status] = (statuses[status] ?? 0) + 1
            onProgress?.(own)
        }
    }
    await Promise.all(Array.from({ length: 8 }, client))
    return { target: "http", inputs, statuses }
}

/** One of each route, whole, so that everything in them may be changed. */
function requests(id: string): Uint8Array[] {
    const chain = `/v1/chains/${id}`
    const paths = [
        ...["/healthz", "/readyz", "/openapi.json", "/v1/chains", chain, `${chain}/rounds/latest`],
        ...[`${chain}/rounds/2`, `${chain}/entries?from=3&limit=2`, `${chain}/log/checkpoint`],
        ...[`${chain}/log/tile/0/000.p/3`, `${chain}/log/tile/entries/000.p%2F3`, `${chain}/socket`],
    ]
    const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    const key = "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Protocol: tallylight.v1\r\n"
    const plain = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    return [...plain, `GET ${chain}/socket HTTP/1.1\r\nHost: x\r\n${upgrade}${key}\r\n`].map(utf8)
}

/** Whoever has sent all it has to say, as half a request is, says so and waits for the answer. */
async function statusOf(host: string, port: number, request: Uint8Array): Promise<number> {
    const socket = connect({ host, port, allowHalfOpen: true })
    socket.on("error", () => undefined)
    await once(socket, "connect")
    socket.end(request)
    const answer = await text(socket).catch(() => "")
    const [, status] = /^HTTP\/1\.1 ([0-9]{3})/.exec(answer) ?? []
    return Number(status ?? 0)
}

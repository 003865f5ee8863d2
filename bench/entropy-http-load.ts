/** Asks a server for random bytes over many connections, each as soon as it has its answer. Told what by messages. */
import { connect } from "node:net"
import type { Socket } from "node:net"
import { connect as connectTls } from "node:tls"

export type Load = { readonly url: string; readonly bytes: number; readonly ms: number }

/** Latencies in milliseconds. */
export type Measured = {
    readonly requests: number
    readonly seconds: number
    readonly p50: number
    readonly p99: number
}

const connections = 64

function open(url: URL): Promise<Socket> {
    const port = Number(url.port)
    return new Promise((resolve, reject) => {
        const socket: Socket =
            url.protocol === "https:"
                ? connectTls({ host: url.hostname, port, rejectUnauthorized: false }, () => resolve(socket))
                : connect(port, url.hostname, () => resolve(socket))
        socket.once("error", reject)
    })
}

/** Of an answer that begins with `head`: bytes of it after `head`. */
function lengthAfter(head: Buffer): number {
    const end = head.indexOf("\r\n\r\n")
    const text = head.toString("latin1", 0, end)
    if (end < 0 || !text.startsWith("HTTP/1.1 200 ")) throw new Error(`answered ${text.slice(0, 200)}`)
    const [, length] = /\r\ncontent-length: *([0-9]+)/i.exec(text) ?? []
    if (length === undefined) throw new Error("an answer without a length")
    return end + 4 + Number(length) - head.length
}

async function measure({ url, bytes, ms }: Load): Promise<Measured> {
    const target = new URL(`/v1/random?bytes=${bytes}`, url)
    const request = `GET ${target.pathname}${target.search} HTTP/1.1\r\nhost: ${target.host}\r\n\r\n`
    const sockets = await Promise.all(Array.from({ length: connections }, () => open(target)))
    const latencies: number[] = []
    const begun = performance.now()
    const end = begun + ms
    await Promise.all(
        sockets.map(
            (socket) =>
                new Promise<void>((resolve, reject) => {
                    let asked = performance.now()
                    let left = 0
                    socket.on("error", reject)
                    socket.on("data", (chunk: Buffer) => {
                        left = left === 0 ? lengthAfter(chunk) : left - chunk.length
                        if (left > 0) return
                        const now = performance.now()
                        latencies.push(now - asked)
                        if (now >= end) {
                            resolve()
                            return
                        }
                        asked = now
                        socket.write(request)
                    })
                    socket.write(request)
                }),
        ),
    )
    const seconds = (performance.now() - begun) / 1000
    for (const socket of sockets) socket.destroy()
    const sorted = latencies.toSorted((a, b) => a - b)
    const at = (q: number): number =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN
    return { requests: latencies.length, seconds, p50: at(0.5), p99: at(0.99) }
}

process.on("message", (load: Load) => {
    void measure(load).then((measured) => process.send?.(measured))
})
process.send?.("ready")

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

/** What is read lies in one piece of memory all the time: new memory for each read costs more than reading. */
const readBytes = 2 ** 20

function open(url: URL, onData: (data: Buffer) => void): Promise<Socket> {
    const buffer = Buffer.allocUnsafe(readBytes)
    const onread = {
        buffer,
        callback: (length: number) => {
            onData(buffer.subarray(0, length))
            return true
        },
    }
    const where = { host: url.hostname, port: Number(url.port), onread }
    return new Promise((resolve, reject) => {
        const socket: Socket =
            url.protocol === "https:"
                ? connectTls({ ...where, rejectUnauthorized: false }, () => resolve(socket))
                : connect(where, () => resolve(socket))
        socket.once("error", reject)
    })
}

/** Finds the ends of answers on one connection, and keeps nothing of them. A body has a length, or comes in chunks. */
class Answers {
    /** A head, or the line with the size of a chunk, that is not whole yet. */
    #text = ""
    #left = 0
    #awaited: "head" | "size" | "end" = "head"

    /** Whether an answer is whole with that: nobody asks for the next one before. */
    take(data: Buffer): boolean {
        let at = 0
        for (;;) {
            const skipped = Math.min(this.#left, data.length - at)
            this.#left -= skipped
            at += skipped
            if (this.#left > 0) return false
            if (this.#awaited === "end") {
                this.#awaited = "head"
                return true
            }
            const mark = this.#awaited === "head" ? "\r\n\r\n" : "\r\n"
            const known = this.#text.length
            this.#text += data.toString("latin1", at, at + 4096)
            const end = this.#text.indexOf(mark)
            if (end < 0) return false
            at += end + mark.length - known
            if (this.#awaited === "head") this.#began(this.#text.slice(0, end))
            else this.#chunk(this.#text.slice(0, end))
            this.#text = ""
        }
    }

    #began(head: string): void {
        if (!head.startsWith("HTTP/1.1 200 ")) throw new Error(`answered ${head.slice(0, 200)}`)
        const [, length] = /\r\ncontent-length: *([0-9]+)/i.exec(head) ?? []
        const isChunked = /\r\ntransfer-encoding: *chunked/i.test(head)
        if (length === undefined && !isChunked) throw new Error("an answer without a length")
        this.#left = Number(length ?? 0)
        this.#awaited = isChunked ? "size" : "end"
    }

    /** A line end follows each chunk, and the last one is empty. */
    #chunk(size: string): void {
        const bytes = parseInt(size, 16)
        this.#left = bytes + 2
        if (bytes === 0) this.#awaited = "end"
    }
}

/** A connection that asks as soon as it has its answer. */
class Line {
    readonly #socket: Socket
    #onData: (data: Buffer) => void = () => undefined

    static async open(url: URL): Promise<Line> {
        const line: Line = new Line(await open(url, (data) => line.#onData(data)))
        return line
    }

    private constructor(socket: Socket) {
        this.#socket = socket
    }

    /** Until then, and for the answer that is under way then. */
    ask(request: string, end: number, latencies: number[]): Promise<void> {
        const socket = this.#socket
        return new Promise((resolve, reject) => {
            const answers = new Answers()
            let asked = performance.now()
            socket.on("error", reject)
            socket.on("close", () => reject(new Error("a connection was closed")))
            this.#onData = (data) => {
                if (!answers.take(data)) return
                const now = performance.now()
                latencies.push(now - asked)
                if (now >= end) {
                    resolve()
                    return
                }
                asked = now
                socket.write(request)
            }
            socket.write(request)
        })
    }

    close(): void {
        this.#socket.destroy()
    }
}

async function measure({ url, bytes, ms }: Load): Promise<Measured> {
    const target = new URL(`/v1/random?bytes=${bytes}`, url)
    const request = `GET ${target.pathname}${target.search} HTTP/1.1\r\nhost: ${target.host}\r\n\r\n`
    const latencies: number[] = []
    const lines = await Promise.all(Array.from({ length: connections }, () => Line.open(target)))
    const begun = performance.now()
    await Promise.all(lines.map((line) => line.ask(request, begun + ms, latencies)))
    const seconds = (performance.now() - begun) / 1000
    for (const line of lines) line.close()
    const sorted = latencies.toSorted((a, b) => a - b)
    const at = (q: number): number =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN
    return { requests: latencies.length, seconds, p50: at(0.5), p99: at(0.99) }
}

process.on("message", (load: Load) => {
    void measure(load).then((measured) => process.send?.(measured))
})
process.send?.("ready")

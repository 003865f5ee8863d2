/** A real network, all of it in processes of its own, that is to go on with its rounds whatever is done to its socket. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { readFile, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { subprotocol } from "@tallylight/node/ws-options.js"
import { WebSocket } from "ws"
import { Stage } from "../network/stage.ts"
import { nextLine } from "../processes/run.ts"
import type { Running } from "../processes/run.ts"
import { chainAt, Follower } from "./client.ts"

const mebibyte = 1024 * 1024
/** Far above what the server needs, far below what a leak would cost. */
const mostBytes = 600 * mebibyte
const mostGrowth = 96 * mebibyte

/** However it ends. */
export async function closed(socket: Socket): Promise<void> {
    await new Promise<void>((resolve) => socket.once("close", () => resolve()))
}

export class Fortress {
    readonly #processes: Stage
    readonly #server: Running
    readonly url: string
    readonly address: ChainAddress
    readonly ledger: Follower
    readonly port: number

    static async open(): Promise<Fortress> {
        const processes = await Stage.make()
        try {
            const chain = { contributionWindowMs: 3000 }
            const limits = {
                // Silence is cut by the heartbeat; slow honest clients may be late with their hello.
                ...{ heartbeatMs: 4000, helloMs: 120_000, stalledMs: 2000, httpRequestMs: 4000 },
                registrations: { burst: 24, perMinute: 1 },
            }
            await writeFile(join(processes.folder, "pdl.jsonc"), JSON.stringify({ chain, limits }))
            const server = processes.start(
                "pdl",
                "--json",
                "--config",
                "pdl.jsonc",
                "--url",
                "http://127.0.0.1:0",
            )
            const { url } = JSON.parse(await nextLine(server)) as { readonly url: string }
            processes.start("party", "--url", url, "--count", "2")
            processes.start("requester", "--url", url, "--interval", "0.5")
            const address = await chainAt(url)
            return new Fortress(processes, server, url, address, await Follower.connect(address))
        } catch (error) {
            await processes.clear()
            throw error
        }
    }

    private constructor(
        processes: Stage,
        server: Running,
        url: string,
        address: ChainAddress,
        ledger: Follower,
    ) {
        this.#processes = processes
        this.#server = server
        this.url = url
        this.address = address
        this.ledger = ledger
        this.port = Number(new URL(url).port)
    }

    /** Does that twice while honest rounds go on; the server is the same process afterwards, and no larger. */
    async endure(name: string, attack: () => Promise<string>): Promise<string> {
        const rounds = this.ledger.nextBeacon()
        const first = await attack()
        const before = await this.memory()
        const again = await attack()
        assert.equal(again, first)
        await rounds
        assert.equal((await fetch(`${this.url}/healthz`)).status, 200)
        const after = await this.memory()
        const figures = `${Math.round(before / mebibyte)} MiB after one, ${Math.round(after / mebibyte)} MiB after two`
        process.stderr.write(`${name}: resident memory ${figures}\n`)
        assert.ok(after < mostBytes && after - before < mostGrowth, figures)
        return first
    }

    /** Resident memory of the server's process, in bytes: there is none once that process is gone. */
    async memory(): Promise<number> {
        const status = await readFile(`/proc/${this.#server.pid}/status`, "utf8")
        return 1024 * Number(/^VmRSS:\s+([0-9]+) kB$/m.exec(status)?.[1])
    }

    async webSocket(protocols: readonly string[] = [subprotocol]): Promise<WebSocket> {
        const socket = new WebSocket(this.address.socket, [...protocols], { perMessageDeflate: false })
        socket.on("error", () => undefined)
        await once(socket, "open")
        return socket
    }

    /** The close code that comes of `act`. */
    async closeCode(act: (socket: WebSocket) => unknown, protocols?: readonly string[]): Promise<string> {
        const socket = await this.webSocket(protocols)
        const closed = once(socket, "close") as Promise<[number]>
        await act(socket)
        const [code] = await closed
        return String(code)
    }

    async tcp(): Promise<Socket> {
        const socket = connect(this.port, "127.0.0.1")
        socket.on("error", () => undefined)
        await once(socket, "connect")
        return socket
    }

    /** A WebSocket by hand, whose frames nobody corrects. */
    async upgraded(protocol: string = subprotocol): Promise<Socket> {
        const socket = await this.tcp()
        socket.write(
            `GET ${new URL(this.address.socket).pathname} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n` +
                `Connection: Upgrade\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n` +
                `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
        )
        const [answer] = (await once(socket, "data")) as [Buffer]
        socket.pause()
        // What follows the handshake is for whoever asked for it.
        const rest = answer.subarray(answer.indexOf("\r\n\r\n") + 4)
        if (rest.length > 0) socket.unshift(rest)
        return socket
    }

    /** What the server answers to these bytes before it hangs up, or within a while. */
    async rawAnswer(text: string): Promise<string> {
        const socket = await this.tcp()
        let answer = ""
        socket.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")))
        const over = closed(socket)
        socket.write(text)
        await Promise.race([over, sleep(10_000, undefined, { ref: false })])
        socket.destroy()
        return answer
    }

    async close(): Promise<void> {
        const verified = await this.#processes.run("observer", "verify", "--url", this.url)
        this.ledger.close()
        await this.#processes.clear()
        assert.equal(verified.code, 0, verified.stdout + verified.stderr)
    }
}

/**
 * A server of random bytes, told its addresses by a message. Arguments: `ours` or `bare`, how many processes serve, and a
 * folder with cert.pem and key.pem. The bare one is node:http(s) with a pool of AES-256-CTR: what Node can do.
 */
import cluster from "node:cluster"
import { createCipheriv, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { httpSettings } from "@tallylight/entropy-node/http/settings.js"
import { startHttp } from "@tallylight/entropy-node/http/start.js"
import { TwinCore } from "@tallylight/entropy-node/http/twin-core.js"
import { makeLogger } from "@tallylight/node/logger.js"

const [, , kind = "", processes = "1", folder = ""] = process.argv
const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }

/** Addresses of plain HTTP and HTTPS. */
export type Addresses = { readonly http: string; readonly https: string }

async function serveOurs(): Promise<Addresses> {
    const settings = httpSettings.parse({
        ...{ port: 0, workers: Number(processes) === 1 ? 0 : Number(processes) },
        tls: { ...files, port: 0 },
    })
    const log = makeLogger({ name: "bench", level: "warn" })
    const { urls } = await startHttp({ settings, core: new TwinCore(), log })
    const [https = "", http = ""] = urls
    return { http, https }
}

const poolBytes = 2 ** 20
const zeros = new Uint8Array(poolBytes)
const cipher = createCipheriv("aes-256-ctr", randomBytes(32), randomBytes(16))
let pool = Buffer.alloc(0)
let taken = 0

function take(bytes: number): Buffer {
    if (taken + bytes > pool.length) {
        pool = cipher.update(zeros)
        taken = 0
    }
    taken += bytes
    return pool.subarray(taken - bytes, taken)
}

function answer(request: IncomingMessage, response: ServerResponse): void {
    const bytes = Number(/bytes=([0-9]+)/.exec(request.url ?? "")?.[1] ?? 0)
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes })
    response.end(take(bytes))
}

async function serveBare(): Promise<Addresses> {
    const credentials = { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) }
    const ports = [createServer(answer), createTlsServer(credentials, answer)].map(
        (server) =>
            new Promise<number>((resolve) => {
                server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
            }),
    )
    const [http, https] = await Promise.all(ports)
    return { http: `http://127.0.0.1:${http ?? 0}`, https: `https://127.0.0.1:${https ?? 0}` }
}

if (kind === "bare" && cluster.isPrimary && Number(processes) > 1) {
    const started = Array.from({ length: Number(processes) }, () => {
        const worker = cluster.fork()
        return new Promise<Addresses>((resolve) => worker.once("message", resolve))
    })
    const [first] = await Promise.all(started)
    process.send?.(first)
} else process.send?.(kind === "ours" ? await serveOurs() : await serveBare())
process.on("disconnect", () => process.exit())

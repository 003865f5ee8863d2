/**
 * A server of random bytes, told its addresses by a message. Arguments: `ours` or `bare`, how many processes serve, and a
 * folder with cert.pem and key.pem. The bare one is node:http(s) with a pool of AES-256-CTR: what Node can do.
 *
 * Plain JavaScript of the last build, as users run it: a loader that compiles adds so much to the heap that collecting
 * its garbage costs more than making the bytes.
 */
import cluster from "node:cluster"
import { createCipheriv, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { join } from "node:path"
import process from "node:process"

const [, , kind = "", processes = "1", folder = ""] = process.argv
const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }

async function serveOurs() {
    const { httpSettings } = await import("@tallylight/entropy-node/http/settings.js")
    const { startHttp } = await import("@tallylight/entropy-node/http/start.js")
    const { TwinCore } = await import("@tallylight/entropy-node/http/twin-core.js")
    const { makeLogger } = await import("@tallylight/node/logger.js")
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
let pool = cipher.update(zeros)
let taken = 0

function take(bytes) {
    if (taken + bytes > pool.length) {
        pool = cipher.update(zeros)
        taken = 0
    }
    taken += bytes
    return pool.subarray(taken - bytes, taken)
}

function answer(request, response) {
    const bytes = Number(/bytes=([0-9]+)/.exec(request.url)?.[1] ?? 0)
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes })
    response.end(take(bytes))
}

async function serveBare() {
    const credentials = {
        ...{ cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) },
        // The one that the node prefers.
        ciphers: "TLS_AES_128_GCM_SHA256",
    }
    const ports = [createServer(answer), createTlsServer(credentials, answer)].map(
        (server) =>
            new Promise((resolve) => {
                server.listen(0, "127.0.0.1", () => resolve(server.address().port))
            }),
    )
    const [http, https] = await Promise.all(ports)
    return { http: `http://127.0.0.1:${http}`, https: `https://127.0.0.1:${https}` }
}

if (kind === "bare" && cluster.isPrimary && Number(processes) > 1) {
    const started = Array.from({ length: Number(processes) }, () => {
        const worker = cluster.fork()
        return new Promise((resolve) => worker.once("message", resolve))
    })
    const [first] = await Promise.all(started)
    process.send?.(first)
} else process.send?.(kind === "ours" ? await serveOurs() : await serveBare())
process.on("disconnect", () => process.exit())

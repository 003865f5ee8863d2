/** How many connections a process serves, and what becomes of one more. */
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { makeLogger } from "@tallylight/node/logger.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { makeCertificate } from "../../../../test/certificates.ts"
import { httpSettings } from "./settings.ts"
import { startHttp } from "./start.ts"
import type { Http } from "./start.ts"
import { TwinCore } from "./twin-core.ts"

const log = makeLogger({ name: "entropy-node", level: "silent" })
const program = {
    url: new URL("worker.ts", import.meta.url),
    execArgv: ["--conditions=source", "--import", "tsx"],
}

let folder: string
let http: Http
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-connections-"))
})
afterEach(async () => {
    await http.close()
    await rm(folder, { recursive: true })
})

async function serve(settings: object): Promise<readonly URL[]> {
    const parsed = httpSettings.parse({ port: 0, ...settings })
    http = await startHttp({ settings: parsed, core: new TwinCore(), log, program })
    return http.urls.map((url) => new URL(url))
}

/** Resolves to whether it was answered before it was closed. */
function isServed(socket: Socket): Promise<boolean> {
    socket.on("error", () => undefined).write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    return new Promise((resolve) => {
        socket.once("data", () => resolve(true)).once("close", () => resolve(false))
    })
}

const by = ({ port }: URL): Socket => connect(Number(port), "127.0.0.1")

async function end(socket: Socket): Promise<void> {
    socket.destroy()
    await once(socket, "close")
}

test("one limit holds for a process's ports and its socket together, and TLS counts once", async () => {
    const { cert, key } = await makeCertificate()
    const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem"), port: 0 }
    await writeFile(tls.certFile, cert)
    await writeFile(tls.keyFile, key, { mode: 0o600 })
    const path = join(folder, "s")
    const [secure, plain] = await serve({ tls, socket: { path }, limits: { connections: 3 } })
    if (secure === undefined || plain === undefined) throw new Error("no ports")
    const byTls = (): Socket => connectTls({ host: "127.0.0.1", port: Number(secure.port), ca: cert })
    const open = [byTls(), by(plain), connect(path)]
    for (const socket of open) expect(await isServed(socket)).toBe(true)
    for (const make of [byTls, () => by(plain), () => connect(path)])
        expect(await isServed(make())).toBe(false)
    await end(open[0] ?? byTls())
    // The server hears of it when it next looks.
    let next = connect(path)
    for (; !(await isServed(next)); next = connect(path));
    expect(await isServed(by(plain))).toBe(false)
    for (const socket of [...open, next]) socket.destroy()
})

test("workers that are full close what comes, and serve again when somebody has left", async () => {
    const [plain] = await serve({ workers: 2, limits: { connections: 2 } })
    if (plain === undefined) throw new Error("no port")
    const open: Socket[] = []
    while (open.length < 4) {
        const socket = by(plain)
        if (await isServed(socket)) open.push(socket)
    }
    for (let times = 0; times < 4; times++) expect(await isServed(by(plain))).toBe(false)
    for (const socket of open) await end(socket)
    while (!(await isServed(by(plain))));
}, 30_000)

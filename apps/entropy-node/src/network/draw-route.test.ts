import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { drawAnswer, drawnBytes, drawPath, drawRequestJson } from "@tallylight/node/draw-exchange.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { parseStatement } from "@tallylight/protocol/round/statement.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import type { DrawnBytes } from "../core/core.ts"
import { NotReady, type SourceStatus } from "../core/node-core.ts"
import { httpSettings } from "../http/settings.ts"
import { startHttp } from "../http/start.ts"
import type { Http } from "../http/start.ts"
import { makeToken } from "../http/tokens.ts"
import { TwinCore } from "../http/twin-core.ts"
import { addDrawRoute } from "./draw-route.ts"

class DrawnTwin extends TwinCore {
    health: Partial<SourceStatus["health"]> = {}

    async draw(): Promise<DrawnBytes> {
        if (this.unready.length > 0) throw new NotReady(this.unready)
        const { time, sources } = await this.status()
        const stated = sources.map((source) => ({ ...source, health: { ...source.health, ...this.health } }))
        return { bytes: new Uint8Array(drawnBytes).fill(7), time, sources: stated, simulated: true }
    }
}

const log = makeLogger({ name: "entropy-node", level: "silent" })
const value = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const context = { chain: value(1), round: 5, ticket: value(2), leaf: value(3), Y: value(4) }
const body = JSON.stringify(drawRequestJson(context, value(6)))

let folder: string
let core: DrawnTwin
let http: Http
let party: ReturnType<typeof makeToken>
let path: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-draw-"))
    path = join(folder, "s")
    party = makeToken(systemRandom)
    // As long a period as there is, so that none ends during a test.
    const [budget, open] = [3 * drawnBytes, 1].map((bytes) => ({ bytes, periodSeconds: 366 * 86_400 }))
    const tokensFile = join(folder, "tokens.jsonc")
    const tokens = [{ name: "party", sha256: party.sha256, budget }]
    await writeFile(tokensFile, JSON.stringify({ tokens }), { mode: 0o600 })
    core = new DrawnTwin()
    const settings = { port: 0, socket: { path }, tokensFile, allowOpen: true, budgets: { open } }
    http = await startHttp({
        ...{ settings: httpSettings.parse(settings), core, log },
        plugins: [(server) => addDrawRoute(server, core, seedSigner(value(9)))],
    })
})
afterEach(async () => {
    await http.close()
    await rm(folder, { recursive: true })
})

function draw(authorization: object, sent = body): Promise<Response> {
    const headers = { "content-type": "application/json", ...authorization }
    return fetch(`${http.urls[0] ?? ""}${drawPath}`, { method: "POST", body: sent, headers })
}

test("a party's token pays for what it draws, and for nothing that it did not get", async () => {
    const bearer = { authorization: `Bearer ${party.token}` }
    const first = await draw(bearer)
    expect(Object.fromEntries(first.headers)).toMatchObject({
        "cache-control": "no-store",
        "ratelimit-remaining": String(2 * drawnBytes),
    })
    expect(drawAnswer.parse(await first.json()).bytes).toEqual(new Uint8Array(drawnBytes).fill(7))
    core.unready = ["chip-a is gone"]
    expect((await draw(bearer)).status).toBe(503)
    expect((await draw(bearer, "{}")).status).toBe(400)
    core.unready = []
    expect((await draw(bearer)).headers.get("ratelimit-remaining")).toBe(String(drawnBytes))
    expect((await draw(bearer)).headers.get("ratelimit-remaining")).toBe("0")
    const refused = await draw(bearer)
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: "budget-spent" }])
    // No period of the open budget has as many.
    expect((await draw({})).status).toBe(400)
})

test("a statement counts the failures of every test, the device's own among them", async () => {
    core.health = {
        ...{ repetitionFailures: 1, proportionFailures: 20 },
        ...{ startupFailures: 300, selfTestFailures: 4000 },
    }
    const answer = await draw({ authorization: `Bearer ${party.token}` })
    const statement = parseStatement(drawAnswer.parse(await answer.json()).statement)
    const { sources } = statement?.of === "node" ? statement.account : { sources: [] }
    expect(sources.map(({ failures }) => failures)).toEqual([4321, 4321])
})

test("a party of the socket draws free, whatever strangers used up", async () => {
    const statuses: unknown[] = []
    for (let times = 0; times < 5; times++) {
        statuses.push(
            await new Promise((resolve, reject) => {
                const headers = { "content-type": "application/json" }
                request({ socketPath: path, path: drawPath, method: "POST", headers }, (answer) => {
                    answer.resume()
                    resolve(answer.statusCode)
                })
                    .on("error", reject)
                    .end(body)
            }),
        )
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200])
})

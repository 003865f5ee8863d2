import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeLogger } from "@tallylight/node/logger.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { QueueEmpty } from "../core/node-core.ts"
import type { RawBytes } from "../core/node-core.ts"
import { startHttp } from "./start.ts"
import type { Http } from "./start.ts"
import { httpSettings } from "./settings.ts"
import { makeToken } from "./tokens.ts"
import { TwinCore } from "./twin-core.ts"

type Part = Omit<RawBytes, "bytes"> & { readonly fill: number }

/** Its queue holds these parts, of which each take gives the next one. */
class PartedCore extends TwinCore {
    readonly lengths: number[] = []
    readonly #parts: Part[]

    constructor(parts: readonly Part[]) {
        super()
        this.#parts = [...parts]
    }

    override raw(length: number): Promise<RawBytes> {
        this.lengths.push(length)
        const part = this.#parts.shift()
        if (part === undefined) return Promise.reject(new QueueEmpty(0))
        const { fill, ...origin } = part
        return Promise.resolve({ ...origin, bytes: new Uint8Array(length).fill(fill) })
    }
}

const hardware = { sources: ["quantis"], simulated: false, degraded: false, consumption: "once" } as const
const wanted = { format: "integer", min: 0, max: 200, count: 64, source: "trng" }
/** Of a byte for each value: one that is above 200, and is rejected, and one that is not. */
const [rejected, taken] = [255, 7]

let folder: string
let http: Http | undefined
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-data-"))
})
afterEach(async () => {
    await http?.close()
    http = undefined
    await rm(folder, { recursive: true })
})

async function serve(core: TwinCore, settings: object = {}): Promise<(body: object) => Promise<Response>> {
    http = await startHttp({
        settings: httpSettings.parse({ port: 0, ...settings }),
        core,
        log: makeLogger({ name: "entropy-node", level: "silent" }),
    })
    const [url = ""] = http.urls
    return (body) =>
        fetch(`${url}/api/v1/data`, {
            ...{ method: "POST", body: JSON.stringify(body) },
            headers: { "content-type": "application/json" },
        })
}

describe("values out of raw bytes", () => {
    const of = (answer: Response): unknown => ({
        devices: answer.headers.get("x-rng-devices"),
        simulated: answer.headers.get("x-rng-simulated"),
        health: answer.headers.get("x-rng-health"),
        consumption: answer.headers.get("x-rng-consumption"),
    })
    const plain = { devices: "quantis", simulated: "false", health: "ok", consumption: "once" }

    test("say where they come from", async () => {
        const core = new PartedCore([{ ...hardware, fill: taken }])
        const answer = await (await serve(core))(wanted)
        expect(await answer.json()).toEqual(Array.from({ length: 64 }, () => taken))
        expect(of(answer)).toEqual(plain)
        expect(core.lengths).toEqual([64])
    })

    test.each([
        ["devices", { sources: ["demo", "quantis"] }, { devices: "demo, quantis" }],
        ["simulation", { simulated: true }, { simulated: "true" }],
        ["a source that is not healthy", { degraded: true }, { health: "degraded" }],
        ["bytes that stay", { consumption: "keep" }, { consumption: "keep" }],
    ] as const)(
        "say of all that was taken for them what is to be said of a part: %s",
        async (_, one, said) => {
            const odd: Part = { ...hardware, ...one, fill: rejected }
            for (const parts of [
                [odd, { ...hardware, fill: taken }],
                [
                    { ...hardware, fill: rejected },
                    { ...odd, fill: taken },
                ],
            ]) {
                await http?.close()
                const core = new PartedCore(parts)
                const answer = await (await serve(core))(wanted)
                expect(answer.status).toBe(200)
                expect(core.lengths).toHaveLength(2)
                const devices = answer.headers.get("x-rng-devices")?.split(", ").sort().join(", ")
                expect({ ...(of(answer) as object), devices }).toEqual({ ...plain, ...said })
            }
        },
    )

    test("cost their width, once, and nothing where the queue is empty before they are all there", async () => {
        const tokensFile = join(folder, "tokens.jsonc")
        const tokens = [{ name: "other", sha256: makeToken(systemRandom).sha256 }]
        await writeFile(tokensFile, JSON.stringify({ tokens }), { mode: 0o600 })
        const open = { bytes: 200, periodSeconds: 366 * 86_400 }
        const core = new PartedCore([
            { ...hardware, fill: rejected },
            { ...hardware, fill: taken },
            { ...hardware, fill: rejected },
        ])
        const post = await serve(core, { tokensFile, allowOpen: true, budgets: { open } })
        const given = await post(wanted)
        expect([given.status, given.headers.get("ratelimit-remaining")]).toEqual([200, "136"])
        const empty = await post(wanted)
        expect([empty.status, await empty.json()]).toMatchObject([503, { code: "queue-empty" }])
        expect(core.lengths).toHaveLength(4)
        const amplified = await post({ format: "int8" })
        expect(amplified.headers.get("ratelimit-remaining")).toBe("135")
    })
})

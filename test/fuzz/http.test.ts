import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { afterAll, beforeAll, expect, test } from "vitest"
import { serveSample } from "../http/serving.ts"
import type { Serving } from "../http/serving.ts"
import { fuzzHttp } from "./http.ts"

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))

let server: Serving
beforeAll(async () => {
    server = await serveSample(sampleLedger(), { limits: { httpRequestsPerSecond: 100_000 } })
})
afterAll(() => server.close())

test(`seed ${seed}: no request makes the server fail, and it answers afterwards`, async () => {
    const { statuses } = await fuzzHttp(server, { seed, inputs: 1500 })
    expect(statuses[200]).toBeGreaterThan(0)
    expect(statuses[400]).toBeGreaterThan(0)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
})

test("a failure of the server is told with its seed and its request", async () => {
    const broken = { ...server, failures: [new Error("a defect")] }
    await expect(fuzzHttp(broken, { seed: 7, inputs: 10 })).rejects.toThrow(/^http, seed 7, .*a defect/)
})

/** Long answers, and what else goes on meanwhile. */
import { once } from "node:events"
import { connect } from "node:net"
import { Duplex } from "node:stream"
import { setImmediate as turn } from "node:timers/promises"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { BudgetBook } from "./budget.ts"
import { Counts } from "./counts.ts"
import { makeServing } from "./doors.ts"
import { listen } from "./listening.ts"
import { makePlan } from "./plan.ts"
import { Problem } from "./problem.ts"
import { makeServer } from "./server.ts"
import { httpSettings } from "./settings.ts"
import { TwinCore } from "./twin-core.ts"

const budget = { bytes: 2 ** 30, periodSeconds: 3600 }
const ask = (bytes: number): string => `GET /v1/random?bytes=${bytes} HTTP/1.1\r\nhost: localhost\r\n\r\n`

let core: TwinCore
let clock: ManualClock
let book: BudgetBook
let defects: unknown[]
let server: Awaited<ReturnType<typeof makeServer>>
beforeEach(async () => {
    ;[core, clock, defects] = [new TwinCore(), new ManualClock(), []]
    book = new BudgetBook(clock)
    const plan = await makePlan(httpSettings.parse({ port: 0, budgets: { open: budget } }), clock.now())
    const counts = new Counts()
    const onDefect = (error: unknown): void => void defects.push(error)
    const serving = makeServing(plan, { core, budgets: book, counts, clock, onDefect })
    server = await makeServer(serving, "http", () => undefined)
})
afterEach(async () => {
    const closed = server.close()
    await clock.advance(10_000)
    await closed
})

test("the event loop goes round between mebibytes, however fast they are taken", async () => {
    let taken = 0
    /** Takes everything at once, as the kernel does where the client keeps up. */
    const client = new Duplex({
        read: () => undefined,
        write(chunk: Buffer, _, done) {
            taken += chunk.length
            done()
        },
    })
    server.http.server.emit("connection", client)
    const mebibytes = 32
    client.push(ask(mebibytes * 2 ** 20))
    let passes = 0
    while (taken === 0) await turn()
    for (; taken < mebibytes * 2 ** 20; passes++) await turn()
    expect(passes).toBeGreaterThanOrEqual(mebibytes / 2)
    client.destroy()
})

describe("a stream that the node cuts", () => {
    /** Resolves to how many bytes its caller had paid for in the end. */
    async function cut(): Promise<number> {
        const url = new URL(await listen(server.http, "http", "127.0.0.1", 0))
        const client = connect(Number(url.port), "127.0.0.1")
        client.on("error", () => undefined).write(ask(budget.bytes))
        await once(client, "data")
        // Nothing is read now, until the seed is too old.
        client.pause()
        await clock.advance(1000)
        client.resume()
        await new Promise((resolve) => client.once("close", resolve))
        const { remaining } = await book.spend("open", budget, 0)
        return budget.bytes - remaining
    }

    test.each([
        ["no source is healthy", () => (core.unready = ["chip-a is gone"])],
        [
            "there is too much to answer",
            () => (core.seed = () => Promise.reject(new Problem("busy", "come again"))),
        ],
    ])("because %s costs what was sent, and is no defect", async (_, fail) => {
        const seed = core.seed.bind(core)
        core.seed = async () => {
            const first = await seed()
            fail()
            return first
        }
        const spent = await cut()
        expect(spent).toBeGreaterThan(0)
        // The kernel's buffers have some megabytes, and the rest was never made.
        expect(spent).toBeLessThan(64 * 2 ** 20)
        expect(defects).toEqual([])
    })
})

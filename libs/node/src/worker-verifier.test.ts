import { claimsOf } from "@tallylight/protocol/ledger/verify.js"
import type { Claim } from "@tallylight/protocol/ledger/claim.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { afterEach, describe, expect, test } from "vitest"
import { proofProgram } from "../../../test/processes/proof-program.ts"
import { sentOf, unprovenOf } from "../../../test/samples/unproven.ts"
import { WorkerVerifier } from "./worker-verifier.ts"

const program = await proofProgram()
const sample = sampleLedger()
/** Not what any entry comes down to: the thread fails over it as over a defect of its own. */
const deadly = [{ claim: "elements" }] as unknown as Claim[]

const open: WorkerVerifier[] = []
afterEach(async () => {
    for (const verifier of open.splice(0)) await verifier.close()
})

function start(url = program.url) {
    const deaths: Error[] = []
    const faults: Error[] = []
    const verifier = new WorkerVerifier({
        program: { ...program, url },
        onDeath: (error) => deaths.push(error),
        onFault: (error) => faults.push(error),
    })
    open.push(verifier)
    return { verifier, deaths, faults }
}

describe("a thread judges as its caller would", () => {
    test("what holds, of every kind that others send", async () => {
        const { verifier } = start()
        const sent = sentOf(sample)
        const judged = await Promise.all(
            sent.map(({ state, entry }) => verifier.verify(claimsOf(state, entry))),
        )
        expect(judged).toEqual(sent.map(() => undefined))
        expect(verifier.isAlive).toBe(true)
    })

    test("what does not hold, with the same code and facts", async () => {
        const { verifier } = start()
        const unproven = unprovenOf(sample)
        const judged = await Promise.all(
            unproven.map(({ state, entry }) => verifier.verify(claimsOf(state, entry))),
        )
        expect(judged).toEqual(unproven.map(({ refusal: { code, facts } }) => ({ code, facts })))
    })
})

describe("a thread that dies", () => {
    test("is replaced, and only what it died of is told", async () => {
        const { verifier, deaths, faults } = start()
        const [{ state, entry }] = sentOf(sample)
        const before = verifier.verify(claimsOf(state, entry))
        const cause = verifier.verify(deadly)
        const after = verifier.verify(claimsOf(state, entry))
        await expect(cause).rejects.toThrow()
        expect(await Promise.all([before, after])).toEqual([undefined, undefined])
        expect([verifier.deaths, deaths.length, faults.length]).toEqual([1, 1, 0])
        await expect(verifier.verify(deadly)).rejects.toThrow()
        expect(await verifier.verify(claimsOf(state, entry))).toBeUndefined()
    })

    test("before it can do anything is a fault, and is not tried again", async () => {
        const { verifier, faults } = start(new URL("no-such-worker.js", import.meta.url))
        const [{ state, entry }] = sentOf(sample)
        await expect(verifier.verify(claimsOf(state, entry))).rejects.toThrow("no-such-worker")
        expect(faults).toHaveLength(1)
        await expect(verifier.verify([])).rejects.toThrow("closed")
    })
})

describe("a thread whose answers", () => {
    /** Says of everything that it holds; what it is to do otherwise is in the place of a claim. */
    const liar = new URL(
        `data:text/javascript,${encodeURIComponent(`
            import { parentPort as port } from "node:worker_threads"
            port.on("message", ({ id, claims: [claim] }) => {
                if (claim === "nothing") return
                if (claim === "no verdict") return port.postMessage({ id })
                if (claim === "no id") return port.postMessage(undefined)
                port.postMessage({ id: claim === "another id" ? id - 1 : id, verdict: "holds" })
            })
            port.postMessage("ready")`)}`,
    )
    const as = (what: string) => [what] as unknown as Claim[]

    test("are all to what it is at work on stays", async () => {
        const { verifier } = start(liar)
        expect(await Promise.all([verifier.verify(as("true")), verifier.verify(as("true"))])).toEqual([
            undefined,
            undefined,
        ])
        expect(verifier.deaths).toBe(0)
    })

    test.each(["nothing", "no verdict", "no id", "another id"])(
        "are to something else is replaced: %s",
        async (what) => {
            const { verifier, deaths } = start(liar)
            const before = verifier.verify(as("true"))
            const cause = verifier.verify(as(what))
            const after = verifier.verify(as("true"))
            await expect(cause).rejects.toThrow("answered what it was not asked")
            expect(await Promise.all([before, after])).toEqual([undefined, undefined])
            expect([verifier.deaths, deaths.length]).toEqual([1, 1])
        },
    )
})

test("what waits when it is closed rejects", async () => {
    const { verifier } = start()
    const [{ state, entry }] = sentOf(sample)
    const waiting = verifier.verify(claimsOf(state, entry))
    const closing = verifier.close()
    await expect(waiting).rejects.toThrow("closed")
    await closing
    expect(verifier.isAlive).toBe(false)
})

/** A ledger server with an open round; argument: how many threads verify proofs, 0 for its own. Ends when told to. */
import { existsSync, readFileSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"
import { systemClock } from "@tallylight/node/system-clock.js"
import { WorkerVerifier } from "@tallylight/node/worker-verifier.js"
import { ProofPool } from "@tallylight/pdl/proofs/pool.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import { serveSample } from "../test/http/serving.ts"
import { proofProgram } from "../test/processes/proof-program.ts"
import { openRoundOfAll } from "./open-round.ts"

const fail = (error: Error): never => {
    throw error
}
const program = await proofProgram()
const threads = Array.from({ length: Number(process.argv[2]) }, () => {
    return new WorkerVerifier({ program, onDeath: fail, onFault: fail })
})
const pool = new ProofPool(threads.length > 0 ? threads : [ownThread(() => turn())])
const ledger = openRoundOfAll()
// The round stays open.
const { time } = ledger.state
const { url, id, failures } = await serveSample(ledger, {}, pool, { ...systemClock, now: () => time })

/** Milliseconds for which this thread had work and no core, as Linux counts them; elsewhere none are known. */
function waitedMs(): number {
    const path = "/proc/thread-self/schedstat"
    return existsSync(path) ? Number(readFileSync(path, "utf8").split(" ")[1]) / 1e6 : 0
}

const everyMs = 5
/** By how much a timer was late, and how much of that was not spent on waiting for a core. */
let delays: { late: number; own: number }[] = []
let last = { at: performance.now(), waited: waitedMs() }
setInterval(() => {
    const now = { at: performance.now(), waited: waitedMs() }
    const late = Math.max(0, now.at - last.at - everyMs)
    delays.push({ late, own: Math.max(0, late - (now.waited - last.waited)) })
    last = now
}, everyMs)

process.on("message", () => {
    const [error] = failures
    if (error !== undefined) throw error as Error
    process.send?.({ delays, refused: pool.refused, waitedMs: last.waited })
    delays = []
})
process.send?.({ url, id })

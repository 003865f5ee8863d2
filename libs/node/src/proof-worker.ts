/** The program of a verifier's thread; see worker-verifier.ts. Whatever is no Refusal ends the thread. */
import { parentPort } from "node:worker_threads"
import { judge } from "@tallylight/protocol/ledger/judge.js"
import type { Answer, Batch } from "./worker-verifier.ts"

if (parentPort === null) throw new Error("this program is for a worker thread")
const port = parentPort
port.on("message", ({ id, claims }: Batch) => {
    const answer: Answer = { id, verdict: judge(claims) ?? "holds" }
    port.postMessage(answer)
})
port.postMessage("ready")

/** The program of a verifier's thread; see worker-verifier.ts. Whatever is no Refusal ends the thread. */
import { parentPort } from "node:worker_threads"
import { judge } from "@tallylight/protocol/ledger/claim.js"
import type { Claim } from "@tallylight/protocol/ledger/claim.js"

if (parentPort === null) throw new Error("this program is for a worker thread")
const port = parentPort
port.on("message", (claims: readonly Claim[]) => port.postMessage(judge(claims)))
port.postMessage("ready")

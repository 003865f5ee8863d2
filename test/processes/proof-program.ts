/** The program of a proof thread, from its source. */
import type { Program } from "@tallylight/node/worker-verifier.js"

export const proofProgram: Program = {
    url: new URL("../../libs/node/src/proof-worker.ts", import.meta.url),
    execArgv: ["--conditions=source", "--import", new URL("typescript.mjs", import.meta.url).href],
}

/** The program of a proof thread, compiled as users run it: Node 20 reads no TypeScript in threads. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Program } from "@tallylight/node/worker-verifier.js"

/** Compiles first where a source is newer than what is there. */
export async function proofProgram(): Promise<Program> {
    const build = fileURLToPath(new URL("../../scripts/build.mjs", import.meta.url))
    await promisify(execFile)(process.execPath, [build])
    return { url: new URL("../../libs/node/dist/proof-worker.js", import.meta.url), execArgv: [] }
}

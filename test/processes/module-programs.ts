/** Programs of a PKCS#11 module's process, run from their sources. */
import type { ModuleProgram } from "@tallylight/entropy-node/hsm/module-process.js"

const execArgv = ["--conditions=source", "--import", "tsx"]

export const softProgram: ModuleProgram = {
    url: new URL("../../apps/entropy-node/src/hsm/module-program.ts", import.meta.url),
    execArgv,
}

export const faultyProgram: ModuleProgram = { url: new URL("faulty-module.ts", import.meta.url), execArgv }

import type { ModuleProgram } from "./module-process.ts"

/** Found as any import is: compiled, or as it was written where this process reads that. */
export function moduleProgram(): ModuleProgram {
    return { url: new URL(import.meta.resolve("@tallylight/entropy-node/hsm/module-program.js")) }
}

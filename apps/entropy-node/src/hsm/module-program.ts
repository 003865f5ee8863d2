/** The program of a PKCS#11 module's own process; see module-process.ts. Its argument is the path of the module. */
import { UserError } from "@tallylight/node/user-error.js"

import type { Answer, Question } from "./module-calls.ts"
import { Pkcs11Module } from "./pkcs11-module.ts"

const [, , path = ""] = process.argv
let loaded: Pkcs11Module | undefined

function answer({ name, request }: Question): Answer {
    try {
        loaded ??= new Pkcs11Module(path)
        // Both sides have the types of module-calls.ts.
        return { result: loaded[name](request as never) }
    } catch (error) {
        if (error instanceof UserError) return { sentence: error.message }
        // The package names what it threw by the constant: CKR_DEVICE_REMOVED.
        if (error instanceof Error && "method" in error)
            return { code: error.message, method: String(error.method) }
        throw error
    }
}

process.on("message", (question: Question) => process.send?.(answer(question)))
process.send?.("ready")

// It ends when whoever asks it has ended; a signal to the whole group must not come first.
process.on("disconnect", () => process.exit(0))
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined)

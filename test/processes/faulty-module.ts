/**
 * The program of a PKCS#11 module's process, with a fault that befalls it once, before the next call: the one that is
 * named in the file $FAULT, which is taken away with it.
 */
import { existsSync, readFileSync, rmSync } from "node:fs"

import pkcs11js from "pkcs11js"

const faults: Readonly<Record<string, () => void>> = {
    "close sessions": () => {
        const module = new pkcs11js.PKCS11(process.argv[2])
        for (const slot of module.C_GetSlotList(true)) module.C_CloseAllSessions(slot)
    },
    crash: () => process.kill(process.pid, "SIGSEGV"),
    hang: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
}

// First, since messages wait only until somebody hears them.
await import("@tallylight/entropy-node/hsm/module-program.js")

const path = process.env.FAULT ?? ""
process.prependListener("message", () => {
    if (!existsSync(path)) return
    const fault = readFileSync(path, "utf8")
    rmSync(path)
    faults[fault]?.()
})

/** What `doctor` looks at in a data directory, whether a process has it open or not. */
import { lookIntoDataDir, type DataDir, type DataRole } from "./data-dir.ts"
import { fileNotebook } from "./file-notebook.ts"
import { ok, type Check } from "./doctor.ts"
import { looseModes } from "./doctor-machine.ts"
import type { Whom } from "./doctor-server.ts"
import { lockHolder } from "./process-lock.ts"
import { SeenLedger } from "./seen-ledger.ts"

/** Of settings: whether they could be read is one finding, and what they say is for the other checks. */
export function configCheck(file: string | undefined, load: () => Promise<unknown>): Check {
    return {
        name: "configuration",
        look: async () => {
            await load()
            return ok(file ?? "none, so every setting has its default")
        },
    }
}

/** `further` may refuse what only the app knows to be missing. */
export function dataDirCheck(
    path: string,
    role: DataRole,
    further: (dir: Pick<DataDir, "path" | "file">) => Promise<unknown> = () => Promise.resolve(),
): Check {
    return {
        name: "data directory",
        look: async () => {
            const dir = await lookIntoDataDir(path, role)
            await further(dir)
            return (await looseModes(dir.path)) ?? ok(dir.path)
        },
    }
}

export function holderCheck(path: string): Check {
    return {
        name: "in use",
        look: async () => {
            const pid = await lockHolder(path)
            return ok(pid === undefined ? "by nobody" : `by process ${pid}`)
        },
    }
}

/** What an app kept in the folder: the chain that it belongs to, and the checkpoint that was last relied on. */
export function ledgerOf(path: string): Pick<Whom, "pinned" | "seen"> {
    const ledger = new SeenLedger(fileNotebook(path))
    return { pinned: () => ledger.chain(), seen: () => ledger.checkpoint() }
}

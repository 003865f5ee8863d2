/** What `doctor` looks at in a data directory, whether a process has it open or not. */
import { lookIntoDataDir, type DataDir, type DataRole } from "./data-dir.ts"
import { fileNotebook } from "./file-notebook.ts"
import { ok, type Check } from "./doctor.ts"
import { looseModes } from "./doctor-machine.ts"
import { lockHolder } from "./process-lock.ts"

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

/** The chain that the folder belongs to since it was first used. */
export async function pinnedChain(path: string): Promise<Uint8Array | undefined> {
    return fileNotebook(path).read("chain")
}

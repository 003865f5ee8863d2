import { join } from "node:path"

import type { Notebook } from "@tallylight/protocol/ports/notebook.js"

import { readIfThere, writeDurably } from "./durable-file.ts"

/** One file a name, in a folder that exists. */
export function fileNotebook(folder: string): Notebook {
    return {
        async read(name) {
            const content = await readIfThere(pagePath(folder, name))
            return content === undefined ? undefined : new Uint8Array(content)
        },
        write: async (name, value) => writeDurably(pagePath(folder, name), value, 0o600),
    }
}

function pagePath(folder: string, name: string): string {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new RangeError(`“${name}” is no name of a page`)
    return join(folder, name)
}

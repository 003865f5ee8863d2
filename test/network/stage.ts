/** The apps as a user runs them: one command line, processes, sockets, files. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { launch } from "../processes/run.ts"
import type { Ended, Running } from "../processes/run.ts"

const bin = fileURLToPath(new URL("../../bin/tallylight.mjs", import.meta.url))

/** A folder, and processes in it that do not outlive the test. */
export class Stage {
    readonly folder: string
    readonly #running: Running[] = []

    static async make(): Promise<Stage> {
        return new Stage(await mkdtemp(join(tmpdir(), "tallylight-network-")))
    }

    private constructor(folder: string) {
        this.folder = folder
    }

    start(...args: readonly string[]): Running {
        const running = launch([bin, ...args], this.folder)
        this.#running.push(running)
        return running
    }

    async run(...args: readonly string[]): Promise<Ended> {
        return this.start(...args).ended
    }

    async clear(): Promise<void> {
        for (const { kill } of this.#running) kill("SIGKILL")
        await Promise.all(this.#running.map(({ ended }) => ended))
        await rm(this.folder, { recursive: true, force: true })
    }
}

/** A command line that ends in every way in which one can end. */
import { setTimeout as sleep } from "node:timers/promises"

import { addOptions, runMain, stopUnread } from "@tallylight/node/cli.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Command } from "commander"

/** Rejects with the reason, as the work of an app does when it is told to stop. */
function untilStopped(stop: AbortSignal): Promise<never> {
    const held = setInterval(() => undefined, 1000)
    return new Promise((_, reject) =>
        stop.addEventListener("abort", () => {
            clearInterval(held)
            reject(stop.reason as Error)
        }),
    )
}

function build(stop: AbortSignal): Command {
    const program = new Command("lamp")
    const add = (name: string, action: () => unknown): void => {
        addOptions(program.command(name), "data", "logLevel").action(async () => {
            await action()
        })
    }
    add("print", () => process.stdout.write("printed\n"))
    add("options", () => process.stdout.write(`${JSON.stringify(program.commands[1]?.opts())}\n`))
    add("user-error", () => {
        throw new UserError("there is no lamp; buy one")
    })
    add("defect", () => {
        throw new Error("the lamp broke")
    })
    add("unhandled", async () => {
        void Promise.reject(new Error("nobody held the lamp"))
        await sleep(60_000)
    })
    add("serve", async () => {
        process.stdout.write("serving\n")
        await untilStopped(stop).catch(() => process.stdout.write("stopped cleanly\n"))
    })
    add("wait", async () => {
        process.stdout.write("waiting\n")
        await untilStopped(stop)
    })
    add("stubborn", async () => {
        stop.addEventListener("abort", () => process.stdout.write("asked\n"))
        process.stdout.write("staying\n")
        await sleep(60_000)
    })
    add("flood", async () => {
        while (!stop.aborted) {
            process.stdout.write(`${"x".repeat(999)}\n`)
            await sleep(1)
        }
    })
    stopUnread(program.commands.at(-1) ?? program)
    add("work", async () => {
        const unread = new AbortController()
        process.stdout.once("error", () => unread.abort())
        while (!unread.signal.aborted) {
            process.stdout.write("working\n")
            await sleep(1)
        }
        for (let more = 0; more < 3; more++)
            await new Promise<void>((resolve) => process.stdout.write("working\n", () => resolve()))
        process.stderr.write(stop.aborted ? "stopped\n" : "finished\n")
        await sleep(1)
    })
    return program
}

await runMain(build, process.argv)

#!/usr/bin/env node
// The one command line of all apps. Compiles the workspace first where a source is newer than the last build.
import { readFileSync } from "node:fs"
import { ensureBuilt } from "../scripts/build.mjs"

const apps = {
    pdl: ["../apps/pdl/dist/command.js", "pdlCommand"],
    requester: ["../apps/requester/dist/command.js", "requesterCommand"],
    party: ["../apps/party/dist/command.js", "partyCommand"],
    "entropy-node": ["../apps/entropy-node/dist/command.js", "entropyNodeCommand"],
    observer: ["../apps/observer/dist/command.js", "observerCommand"],
    demo: ["../apps/observer/dist/demo-command.js", "demoCommand"],
}

ensureBuilt()

const { Command } = await import("commander")
const { runMain } = await import("../libs/node/dist/cli.js")
const asked = process.argv[2]
const wanted = Object.hasOwn(apps, asked ?? "") ? [asked] : Object.keys(apps)
const commands = await Promise.all(
    wanted.map(async (name) => {
        const [path, maker] = apps[name]
        const module = await import(path)
        return module[maker]
    }),
)

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

await runMain((stop) => {
    const program = new Command("tallylight")
        .description("public random numbers that nobody chose and anybody can check")
        .version(`tallylight ${version}`)
        .showHelpAfterError("(add --help for what there is)")
    for (const make of commands) program.addCommand(make(stop))
    return program
}, process.argv)

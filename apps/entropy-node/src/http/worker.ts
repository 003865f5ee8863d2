/** The program of a process that serves HTTP; see workers.ts. */
import cluster from "node:cluster"
import { systemClock } from "@tallylight/node/system-clock.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Counts } from "./counts.ts"
import { makeServing, openPorts } from "./doors.ts"
import { addForwarded } from "./forward.ts"
import { PrimaryLink } from "./link.ts"
import type { ToPrimary, ToWorker } from "./questions.ts"

const countsMs = 1000

const counts = new Counts()
let link: PrimaryLink | undefined
let close = (): Promise<void> => Promise.resolve()

function send(message: ToPrimary): void {
    process.send?.(message, undefined, undefined, () => undefined)
}

async function start({ plan, routes }: Extract<ToWorker, { kind: "start" }>): Promise<void> {
    const primary = new PrimaryLink(send, plan.settings.limits.questions)
    link = primary
    const serving = makeServing(plan, {
        ...{ core: primary, budgets: primary, counts, clock: systemClock },
        onDefect: (error) =>
            send({ kind: "defect", stack: error instanceof Error ? (error.stack ?? "") : String(error) }),
    })
    const doors = await openPorts(plan, serving, (server, door) =>
        addForwarded(server, routes, door, (request) => {
            report()
            return primary.forward(request)
        }),
    )
    close = doors.close
    setInterval(report, countsMs).unref()
    send({ kind: "listening", urls: doors.urls })
}

/** Before anything is asked of the other process, so that metrics have what this one counted. */
function report(): void {
    const counted = counts.take()
    // Streams give bytes long after they were answered.
    if (counted.answers.size > 0 || counted.bytes.size > 0) send({ kind: "counted", counted })
}

process.on("message", (message: ToWorker) => {
    switch (message.kind) {
        case "start":
            start(message).catch((error: unknown) => {
                if (!(error instanceof UserError)) throw error
                send({ kind: "cannot", problem: error.message })
            })
            return
        case "answer":
        case "failed":
            link?.settle(message)
            return
        case "stop":
            void close().then(() => {
                report()
                process.disconnect()
            })
    }
})
// Terminals and systemd signal all processes at once; when this one ends is for the other one to say.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined)
// The other process is gone, and with it whatever could be answered.
cluster.worker?.on("error", () => process.exit(1))
send({ kind: "hello" })

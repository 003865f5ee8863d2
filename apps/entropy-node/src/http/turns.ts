/**
 * What takes long is made in parts of some milliseconds: one part at a time, of whoever waits longest, and the event
 * loop goes round in between. One client that asks for much is then no reason that others, or the sources, wait.
 */
import type { ServerResponse } from "node:http"
import { setImmediate } from "node:timers/promises"
import { isOver } from "./held.ts"
import { Problem } from "./problem.ts"

export class Turns {
    #last: Promise<unknown> = Promise.resolve()

    /** What `make` gives, once it is its turn. Rejects with a {@link Problem} where the client has gone by then. */
    take<Part>(response: ServerResponse, make: () => Part | Promise<Part>): Promise<Part> {
        const part = this.#last.then(() => {
            if (isOver(response)) throw new Problem("busy", "whoever asked for this has gone")
            return make()
        })
        this.#last = part.catch(() => undefined).then(() => setImmediate())
        return part
    }
}

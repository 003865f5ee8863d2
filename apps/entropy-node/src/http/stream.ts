/** Amplified bytes as fast as the client takes them. */
import type { ServerResponse } from "node:http"
import { setImmediate } from "node:timers/promises"
import { NotReady } from "../core/node-core.ts"
import { mostAtOnce } from "./amplifier.ts"
import { encoded } from "./encoding.ts"
import type { Encoding } from "./encoding.ts"
import { Problem } from "./problem.ts"
import type { Refund, Serving } from "./serving.ts"

/**
 * Made at a time: so much stays in a core's cache. A multiple of 3, so that pieces of base64 join without padding between
 * them, and of whole blocks of AES.
 */
export const pieceBytes = 63 * 1024

/**
 * Half an answer is told by cutting it off, since its length was promised; `refund` then gets what is missing. Never
 * rejects.
 */
export async function stream(
    { amplifier, counts, onDefect }: Serving,
    response: ServerResponse,
    bytes: number,
    encoding: Encoding,
    refund: Refund | undefined,
): Promise<void> {
    let left = bytes
    try {
        const flow = new Flow(response)
        for (let sinceTurn = 0; left > 0 && !flow.isOver;) {
            if (amplifier.fresh === undefined) await amplifier.refresh()
            const length = Math.min(left, pieceBytes)
            const hasRoom = response.write(encoded(encoding, amplifier.take(length)))
            counts.gave("fortuna", length)
            left -= length
            sinceTurn += length
            if (!hasRoom) await flow.room()
            // As long as the kernel takes everything there is room again before the event loop goes round.
            if (sinceTurn < mostAtOnce) continue
            sinceTurn = 0
            await setImmediate()
        }
        response.end()
    } catch (error) {
        response.destroy()
        if (!(error instanceof NotReady || error instanceof Problem)) onDefect(error)
        await refund?.(left).catch(onDefect)
    }
}

/** HTTP/2's response says nowhere else that its client has gone. */
class Flow {
    isOver = false
    #go: (() => void) | undefined

    constructor(response: ServerResponse) {
        response.on("drain", () => this.#go?.())
        response.once("close", () => {
            this.isOver = true
            this.#go?.()
        })
    }

    /** Makes a piece wait until the one before has left: resolves when more may be written, or the client has gone. */
    room(): Promise<void> {
        return new Promise((resolve) => {
            this.#go = resolve
            if (this.isOver) resolve()
        })
    }
}

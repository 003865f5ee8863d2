/** Bytes that a serving process has made and clients have not taken yet, as far as `limits.heldBytes` counts them. */
import type { ServerResponse } from "node:http"
import { smallBytes } from "./amplifier.ts"
import { Problem } from "./problem.ts"

export class Held {
    readonly #most: number
    #bytes = 0

    constructor(most: number) {
        this.#most = most
    }

    /** How many more there is room for. */
    get room(): number {
        return this.#most - this.#bytes
    }

    /**
     * Counts so many bytes, as they will be written, until the response is over; before any of them is made. Throws a {@link Problem} `busy`.
     * Small ones always have room: connections bound them.
     */
    hold(response: ServerResponse, bytes: number): void {
        if (bytes <= smallBytes || isOver(response)) return
        if (bytes > this.room)
            throw new Problem("busy", "too many clients have not taken their bytes yet; come again")
        this.#bytes += bytes
        response.once("close", () => (this.#bytes -= bytes))
    }
}

/** Whether it has left, or its client has gone. HTTP/2's response says it by having no socket any more. */
export function isOver(response: ServerResponse): boolean {
    return response.destroyed || !response.socket
}

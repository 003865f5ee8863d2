/** The channels of those who are connected, whose frames are counted. */
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import type { Instruments } from "./instruments.ts"

export class CountedChannels {
    readonly #opened
    readonly #closed
    readonly #frames
    readonly #bytes

    constructor(instruments: Instruments) {
        this.#opened = instruments.counter("connections_opened_total", "WebSockets opened.", "chain")
        this.#closed = instruments.counter(
            "connections_closed_total",
            "WebSockets closed, by close code.",
            "chain",
            "code",
        )
        this.#frames = instruments.counter(
            "frames_total",
            "Frames taken in or given out.",
            "chain",
            "direction",
        )
        this.#bytes = instruments.counter("frame_bytes_total", "Bytes of those frames.", "chain", "direction")
    }

    count(channel: Channel, chain: string): Channel {
        const add = (direction: "in" | "out", frame: Uint8Array): void => {
            this.#frames.inc({ chain, direction })
            this.#bytes.inc({ chain, direction }, frame.length)
        }
        async function* counted(): AsyncGenerator<Uint8Array, void> {
            for await (const frame of channel.frames) {
                add("in", frame)
                yield frame
            }
        }
        this.#opened.inc({ chain })
        void channel.closed.then(({ code }) => this.#closed.inc({ chain, code: knownCode(code) }))
        return {
            frames: { [Symbol.asyncIterator]: counted },
            closed: channel.closed,
            close: (code, reason) => channel.close(code, reason),
            send: (frame) => {
                add("out", frame)
                return channel.send(frame)
            },
        }
    }
}

/** The other side chooses among thousands of codes, and each would be a series for ever. */
function knownCode(code: number): string {
    return (code >= 1000 && code <= 1015) || code === 4001 || code === 4002 ? String(code) : "other"
}

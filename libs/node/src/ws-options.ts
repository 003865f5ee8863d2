import type { ServerOptions } from "ws"

export const subprotocol = "tallylight.v1"

export type ChannelLimits = {
    /** The largest frame taken from the other side. */
    readonly frameBytes: number
    /** What is held for the other side to take before `send` waits. */
    readonly bufferedBytes: number
    /** How long a `send` may wait before the other side is dropped. */
    readonly stalledMs: number
    readonly heartbeatMs: number
}

/**
 * For whoever makes the WebSocketServer or the client. No compression: proofs and points do not compress, and
 * zlib would cost each connection hundreds of kilobytes.
 */
export function webSocketOptions({ frameBytes }: Pick<ChannelLimits, "frameBytes">) {
    return {
        perMessageDeflate: false,
        // One message, ping or pong of each connection in a turn of the event loop, not all that a chunk of 64 KiB holds.
        allowSynchronousEvents: false,
        maxPayload: frameBytes,
        handleProtocols: (offered: Set<string>): string | false => offered.has(subprotocol) && subprotocol,
    } satisfies ServerOptions
}

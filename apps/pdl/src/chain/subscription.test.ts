import { uint32 } from "@tallylight/crypto/bytes.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import { expect, test } from "vitest"
import { Subscription } from "./subscription.ts"

const common = {
    chain: new Uint8Array(32),
    handlers: {},
    limits: { frameBytes: 1024 * 1024, concurrentRequests: 8, failures: { burst: 8, perMinute: 8 } },
    clock: new ManualClock(),
    requestTimeoutMs: 1000,
    onFault: (error: unknown) => {
        throw error
    },
}

/** The events of a subscription from `from` on, to a ledger of `size` entries of four bytes. */
async function follow(from: number, size: number): Promise<Message<"Event">[]> {
    const store = new MemoryStore()
    const entries = Array.from({ length: size }, (_, index) => uint32(index))
    const head = await store.append(await store.head(), entries, `of ${size}`)
    const [near, far] = channelPair()
    const events: Message<"Event">[] = []
    const server = openPeer({ ...common, channel: near, side: "listener" })
    const arrived = new Promise<void>((resolve) => {
        openPeer({
            ...common,
            channel: far,
            side: "dialler",
            onNotice: (notice) => {
                if (notice.type === "Event") events.push(notice.body)
                if (events.at(-1)?.entries.at(-1)?.index === size - 1) resolve()
                return Promise.resolve()
            },
        })
    })
    const checkpointAt = (at: number): Promise<string> => Promise.resolve(`of ${at}`)
    const subscription = new Subscription(server, store, head, from, undefined, checkpointAt)
    const running = subscription.run()
    await arrived
    subscription.end()
    await running
    server.close(1000, "")
    return events
}

test.each([
    [0, 1],
    [0, 4096],
    [0, 4097],
    [4095, 4097],
    [4096, 9000],
    [17, 12_288],
])("from entry %i on, a ledger of %i arrives whole, under checkpoints on the way", async (from, size) => {
    const events = await follow(from, size)
    const indices = events.flatMap(({ entries }) => entries.map(({ index }) => index))
    expect(indices).toEqual(Array.from({ length: size - from }, (_, at) => from + at))
    let covered = from
    for (const { entries, size: goal, checkpoint } of events) {
        expect(checkpoint).toBe(`of ${goal}`)
        const last = entries.at(-1)?.index ?? 0
        expect(last).toBeLessThan(goal)
        // A follower holds at most that much without proof.
        expect(goal - covered).toBeLessThanOrEqual(4096)
        if (last + 1 === goal) covered = goal
    }
    expect(covered).toBe(size)
})

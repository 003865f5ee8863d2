import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

export type OpenChannels = {
    readonly left: Channel
    readonly right: Channel
    /** Takes the line away under both ends, as a pulled cable does. */
    readonly cut: () => void
    readonly cleanup: () => Promise<void>
}

async function take(channel: Channel, count: number): Promise<Uint8Array[]> {
    const taken: Uint8Array[] = []
    for await (const frame of channel.frames) {
        taken.push(new Uint8Array(frame))
        if (taken.length === count) break
    }
    return taken
}

function frame(n: number): Uint8Array {
    return Uint8Array.of(n >> 8, n & 0xff)
}

/** Which of the two is first; the sleep is the real one, since sockets know no other. */
async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(resolve, ms, false)
    })
    const done = promise.then(
        () => true,
        () => true,
    )
    const first = await Promise.race([done, late])
    clearTimeout(timer)
    return first
}

/** What both ends of every Channel promise, run against a pair that `open` makes afresh for each test. */
export function channelConformance(name: string, open: () => Promise<OpenChannels>): void {
    describe(`${name} is a Channel`, () => {
        let opened: OpenChannels
        let left: Channel
        let right: Channel

        beforeEach(async () => {
            opened = await open()
            left = opened.left
            right = opened.right
        })
        afterEach(() => opened.cleanup())

        test("carries frames both ways, in order and each as one", async () => {
            const sent = [0, 1, 2].map(frame)
            const answers = [10, 11].map(frame)
            const taken = [take(right, 3), take(left, 2)] as const
            for (const bytes of sent) await left.send(bytes)
            for (const bytes of answers) await right.send(bytes)
            expect(await taken[0]).toStrictEqual(sent)
            expect(await taken[1]).toStrictEqual(answers)
        })

        test("keeps the order of sends that nobody awaits", async () => {
            const taken = take(right, 100)
            const sends = Array.from({ length: 100 }, (_, n) => left.send(frame(n)))
            expect(await taken).toStrictEqual(Array.from({ length: 100 }, (_, n) => frame(n)))
            await Promise.all(sends)
        })

        test("carries an empty frame and one of 100,000 bytes", async () => {
            const large = Uint8Array.from({ length: 100_000 }, (_, i) => i & 0xff)
            const taken = take(right, 2)
            await left.send(new Uint8Array(0))
            await left.send(large)
            expect(await taken).toStrictEqual([new Uint8Array(0), large])
        })

        test("makes a sender wait for a receiver that does not pull", async () => {
            const chunk = new Uint8Array(64 * 1024)
            let sent = 0
            const flood = (async () => {
                for (; sent < 2000; sent += 1) await left.send(chunk)
            })()
            expect(await settlesWithin(200, flood)).toBe(false)
            expect(await take(right, 2000)).toHaveLength(2000)
            await flood
        })

        test("tells both ends why it was closed, and ends their frames", async () => {
            const reading = [take(left, Infinity), take(right, Infinity)]
            left.close(4001, "enough")
            expect(await right.closed).toStrictEqual({ code: 4001, reason: "enough" })
            expect(await left.closed).toStrictEqual({ code: 4001, reason: "enough" })
            expect(await Promise.all(reading)).toStrictEqual([[], []])
        })

        test("delivers what was sent before the close", async () => {
            const sends = [left.send(frame(1)), left.send(frame(2))]
            left.close(1000, "done")
            expect(await take(right, Infinity)).toStrictEqual([frame(1), frame(2)])
            expect(await right.closed).toStrictEqual({ code: 1000, reason: "done" })
            await Promise.allSettled(sends)
        })

        test("refuses frames once it is closed, at both ends", async () => {
            const reading = take(right, Infinity)
            left.close(1000, "done")
            await expect(left.send(frame(1))).rejects.toThrow(Error)
            await reading
            await right.closed
            await expect(right.send(frame(1))).rejects.toThrow(Error)
        })

        test("counts the first close only", async () => {
            const reading = take(right, Infinity)
            left.close(1000, "first")
            left.close(4002, "second")
            await reading
            expect((await left.closed).reason).toBe("first")
            expect(await right.closed).toStrictEqual({ code: 1000, reason: "first" })
        })

        test("a cut line ends both ends and the sends that wait", async () => {
            const reading = take(left, Infinity)
            const chunk = new Uint8Array(64 * 1024)
            const flood = (async () => {
                for (;;) await left.send(chunk)
            })()
            expect(await settlesWithin(100, flood)).toBe(false)
            opened.cut()
            await expect(flood).rejects.toThrow(Error)
            // A transport that has stopped reading sees the loss only once it reads again.
            await take(right, Infinity)
            expect((await left.closed).code).toBe(1006)
            expect((await right.closed).code).toBe(1006)
            expect(await reading).toStrictEqual([])
        })

        test("has frames to be iterated once", async () => {
            left.close(1000, "done")
            expect(await take(right, Infinity)).toStrictEqual([])
            await expect(take(right, 1)).rejects.toThrow(Error)
        })
    })
}

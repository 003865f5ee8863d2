import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { describe, expect, test } from "vitest"

import { channelConformance } from "./channel.ts"

channelConformance("channelPair", () => {
    const [left, right, line] = channelPair()
    return Promise.resolve({ left, right, cut: () => line.cut(), cleanup: () => Promise.resolve() })
})

describe("a slow channelPair", () => {
    test("delivers each frame, and the close, when its time has come", async () => {
        const clock = new ManualClock(1000)
        const [left, right] = channelPair({ latency: { clock, ms: 50 } })
        const arrived: number[] = []
        const reading = (async () => {
            for await (const [n] of right.frames) arrived.push(n!, clock.now())
        })()
        await left.send(Uint8Array.of(1))
        await clock.advance(20)
        await left.send(Uint8Array.of(2))
        left.close(1000, "done")
        await clock.advance(29)
        expect(arrived).toStrictEqual([])
        await clock.advance(1)
        expect(arrived).toStrictEqual([1, 1050])
        await clock.advance(100)
        expect(arrived).toStrictEqual([1, 1050, 2, 1070])
        expect(await right.closed).toStrictEqual({ code: 1000, reason: "done" })
        await reading
    })

    test("loses what is under way when the line is cut, and keeps what has arrived", async () => {
        const clock = new ManualClock()
        const [left, right, line] = channelPair({ latency: { clock, ms: 50 } })
        await left.send(Uint8Array.of(1))
        await clock.advance(50)
        await left.send(Uint8Array.of(2))
        line.cut()
        await clock.advance(100)
        const arrived: Uint8Array[] = []
        for await (const frame of right.frames) arrived.push(frame)
        expect(arrived).toStrictEqual([Uint8Array.of(1)])
    })

    test("lets as many frames wait as it holds", async () => {
        const [left, right] = channelPair({ capacity: 2 })
        let sent = 0
        const flood = (async () => {
            for (; sent < 5; sent += 1) await left.send(Uint8Array.of(sent))
        })()
        await settle()
        expect(sent).toBe(2)
        for await (const [n] of right.frames) if (n === 4) break
        await flood
        expect(sent).toBe(5)
    })
})

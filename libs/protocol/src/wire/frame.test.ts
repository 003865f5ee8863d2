import { describe, expect, test } from "vitest"

import { samples } from "../../../../test/samples/messages.ts"
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts"

const chain = new Uint8Array(32).fill(7)
const limit = 1 << 20

const frames = Object.entries(samples).flatMap(([type, bodies]) =>
    bodies.map(
        (body, i) => [`${type} ${i}`, { type, id: type === "Event" ? 0 : 9, chain, body } as Frame] as const,
    ),
)

describe("every message", () => {
    test.each(frames)("%s comes back as it was sent", (_, frame) => {
        expect(decodeFrame(encodeFrame(frame), limit)).toEqual(frame)
    })
})

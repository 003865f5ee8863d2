/** Pictures and sound of amplified bytes. */
import type { FastifyInstance } from "fastify"
import { amplifiedOrigin } from "./data.ts"
import { heatmapOf, heatmapSide, imageOf, sampleRate, soundOf } from "./pictures.ts"
import { Problem } from "./problem.ts"
import { known } from "./rules.ts"
import { heatmapQuery, imageQuery, parse, soundQuery } from "./schema.ts"
import { paid } from "./serving.ts"
import type { Serving } from "./serving.ts"

/** Each is small enough to be made in one turn; nothing of it is kept. */
export function addPictures(server: FastifyInstance, serving: Serving): void {
    const drawn = (
        path: string,
        type: string,
        plan: (query: unknown) => {
            readonly bytes: number
            /** Of what is sent, in bytes, but for some headers. */
            readonly length: number
            readonly make: (bytes: Uint8Array) => Uint8Array
        },
    ): void => {
        server.get(path, { exposeHeadRoute: false }, async (request, reply) => {
            const { bytes, length, make } = plan(request.query)
            serving.held.hold(reply.raw, length)
            const origin = await amplifiedOrigin(serving)
            return paid(serving, known(request), bytes, async (allowance) => {
                const content = await serving.turns.take(reply.raw, async () =>
                    make(await origin.take(bytes)),
                )
                serving.counts.gave("fortuna", bytes)
                return reply
                    .headers({ ...origin.headers(), ...allowance })
                    .type(type)
                    .send(content)
            })
        })
        server.head(path, (_, reply) => reply.type(type).send())
    }
    drawn("/v1/image/random", "image/png", (query) => {
        const { width, height } = parse(imageQuery, query)
        const most = serving.limits.imagePixels
        if (Math.max(width, height) > most)
            throw new Problem("malformed", `width and height: at most ${most} pixels`, { most })
        const bytes = 3 * width * height
        return { bytes, length: bytes, make: (bytes) => imageOf(bytes, width, height) }
    })
    drawn("/v1/image/heatmap", "image/png", (query) => {
        const { pairs } = parse(heatmapQuery, query)
        return { bytes: 2 * pairs, length: heatmapSide ** 2, make: heatmapOf }
    })
    drawn("/v1/sound", "audio/wav", (query) => {
        const { seconds } = parse(soundQuery, query)
        const bytes = 2 * sampleRate * seconds
        return { bytes, length: bytes, make: soundOf }
    })
}

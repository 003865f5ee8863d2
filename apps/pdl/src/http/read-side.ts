/** The read side over HTTP (PROTOCOL.md §10): the chain as JSON, and its log as C2SP tlog-tiles. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { encodeEntryBundle, parseTilePath } from "@tallylight/crypto/tiles.js"
import type { Tile } from "@tallylight/crypto/tiles.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { toJson } from "@tallylight/protocol/ledger/json.js"
import { Refusal, require } from "@tallylight/protocol/wire/refusal.js"
import type { FastifyInstance, FastifyReply } from "fastify"
import type { z } from "zod"
import type { Chain } from "../chain/chain.ts"
import { expensive } from "../limits/http.ts"
import { answerError, ReadRefusal } from "./failure.ts"
import { entryJson, roundJson, summary } from "./json.ts"
import { openApiDocument } from "./openapi.ts"
import { page, roundNumber } from "./schema.ts"

export type ReadSide = {
    readonly chains: ReadonlyMap<string, Chain>
    /** Why this server should get no traffic now; empty when it should. */
    readonly unready: () => readonly string[]
    /** Told of what went wrong on this side while a request was answered. */
    readonly onFailure: (error: unknown) => void
}

/** Tiles never change once they are full; everything else may a moment later. */
const forever = "public, max-age=31536000, immutable"

/** A page of entries ends with the one that crosses this. As JSON it is four times as much, and milliseconds of work. */
const pageBytes = 64 * 1024

export function addReadSide(server: FastifyInstance, { chains, unready, onFailure }: ReadSide): void {
    const chainOf = (id: string): Chain => {
        const chain = chains.get(id)
        if (chain === undefined) throw new Refusal("wrong-chain", { chain: id.slice(0, 64) })
        if (chain.stopped)
            throw new ReadRefusal(
                "shutting-down",
                "This chain is stopped by a fault; the server opens it again by itself, or its operator must act.",
            )
        return chain
    }

    server.addHook("onRequest", (_, reply, next) => {
        reply.headers({ "access-control-allow-origin": "*", "x-content-type-options": "nosniff" })
        next()
    })
    server.setErrorHandler((error, _, reply) => answerError(error, reply, onFailure))
    server.setNotFoundHandler((_, reply) => answerError(new Refusal("no-such-entry"), reply, onFailure))

    server.get("/healthz", () => ({ status: "ok" }))
    server.get("/readyz", (_, reply) => {
        const reasons = unready()
        return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })
    })

    const document = openApiDocument()
    server.get("/openapi.json", () => document)

    server.get("/v1/chains", () => ({ chains: [...chains].map(([id, chain]) => summary(id, chain)) }))
    server.get<{ Params: { id: string } }>("/v1/chains/:id", ({ params }) => {
        const chain = chainOf(params.id)
        return {
            ...summary(params.id, chain),
            genesis: toJson(chain.state.genesis),
            genesisBytes: toHex(encodeEntry(chain.state.genesis)),
            checkpoint: chain.head.checkpoint,
        }
    })
    server.get<{ Params: { id: string; round: string } }>(
        "/v1/chains/:id/rounds/:round",
        expensive,
        ({ params }) => {
            const chain = chainOf(params.id)
            const { round } = params
            const place =
                round === "latest"
                    ? chain.rounds.latestBeacon
                    : chain.rounds.get(parse(roundNumber, round, "round"))
            if (place === undefined) throw new Refusal("no-such-entry", { rounds: chain.state.rounds })
            return roundJson(chain, params.id, place)
        },
    )
    server.get<{ Params: { id: string } }>("/v1/chains/:id/entries", expensive, async ({ params, query }) => {
        const chain = chainOf(params.id)
        const { from, limit } = parse(page, query, "query")
        const { size } = chain.head
        const entries = from === size ? [] : await chain.entries(from, limit, pageBytes)
        return {
            chain: params.id,
            size,
            from,
            entries: entries.map((bytes, at) => entryJson(from + at, bytes)),
        }
    })

    server.get<{ Params: { id: string } }>("/v1/chains/:id/log/checkpoint", ({ params }, reply) =>
        reply
            .type("text/plain; charset=utf-8")
            .header("cache-control", "no-cache")
            .send(chainOf(params.id).head.checkpoint),
    )
    const answerTile = async (reply: FastifyReply, id: string, path: string): Promise<FastifyReply> => {
        const chain = chainOf(id)
        const tile = parseTilePath(`tile/${path}`)
        if (tile === undefined) throw new Refusal("no-such-entry")
        const bytes = await tileBytes(chain, tile)
        return reply.type("application/octet-stream").header("cache-control", forever).send(bytes)
    }
    server.get<{ Params: { id: string; "*": string } }>(
        "/v1/chains/:id/log/tile/entries/*",
        expensive,
        ({ params }, reply) => answerTile(reply, params.id, `entries/${params["*"]}`),
    )
    server.get<{ Params: { id: string; level: string; "*": string } }>(
        "/v1/chains/:id/log/tile/:level/*",
        expensive,
        ({ params }, reply) => answerTile(reply, params.id, `${params.level}/${params["*"]}`),
    )
}

async function tileBytes(chain: Chain, tile: Tile): Promise<Uint8Array> {
    const { index, width } = tile
    const start = index * 256
    if (tile.kind === "hashes") {
        const bytes = await chain.tree.tile(tile.level, index, width)
        if (bytes === undefined) throw new Refusal("no-such-entry", { size: chain.head.size })
        return bytes
    }
    require(start + width <= chain.head.size, "no-such-entry", { size: chain.head.size })
    return encodeEntryBundle(await chain.entries(start, width))
}

function parse<T>(schema: z.ZodType<T>, input: unknown, path: string): T {
    const result = schema.safeParse(input)
    if (result.success) return result.data
    const [issue] = result.error.issues
    throw new Refusal("malformed", {
        path: [path, ...(issue?.path ?? [])].join("."),
        problem: issue?.message ?? "",
    })
}

/** The read side over HTTP (PROTOCOL.md §10): the chain as JSON, and its log as C2SP tlog-tiles. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { encodeEntryBundle, parseTilePath } from "@tallylight/crypto/tiles.js"
import type { Tile } from "@tallylight/crypto/tiles.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { toJson } from "@tallylight/protocol/ledger/json.js"
import type { Json } from "@tallylight/protocol/ledger/json.js"
import { Refusal, require } from "@tallylight/protocol/wire/refusal.js"
import type { FastifyInstance, FastifyReply } from "fastify"
import type { z } from "zod"
import type { Chain } from "../chain/chain.ts"
import type { RoundPlace } from "../ledger/round-index.ts"
import { expensive } from "../limits/http.ts"
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
        require(!chain.stopped, "shutting-down")
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

function summary(id: string, { state, head, connections, stopped }: Chain): Record<string, Json> {
    const { name, origin } = state.genesis
    const { parties, rounds, current, queue } = state
    const registered = [...parties.values()].filter(({ revoked }) => !revoked).length
    return {
        ...{
            id,
            name,
            origin,
            size: head.size,
            rounds,
            phase: stopped ? "stopped" : (current?.phase ?? "idle"),
        },
        ...{ queued: queue.length, parties: registered, connections },
    }
}

function entryJson(index: number, bytes: Uint8Array): Json {
    return { index, entry: toJson(decodeEntry(bytes)), bytes: toHex(bytes) }
}

/** A round with everything needed to check it alone, and the proof that its beacon is in the log. */
async function roundJson(chain: Chain, id: string, place: RoundPlace): Promise<Json> {
    const { round, status, request, entries, beacon } = place
    const { genesis } = chain.state
    const { size, checkpoint } = chain.head
    const shown: Json[] = []
    for (const run of runsOf([request, ...entries])) {
        const [from = 0] = run
        const read = await chain.entries(from, run.length)
        shown.push(...read.map((bytes, at) => entryJson(from + at, bytes)))
    }
    const found = beacon === undefined ? undefined : await beaconOf(chain, beacon)
    return {
        ...{ chain: id, round, status, output: found?.output ?? null, index: beacon ?? null },
        keys: toJson({ ledger: genesis.ledgerKey, message: genesis.messageKey, vrf: genesis.vrfKey }),
        entries: shown,
        inclusion: beacon === undefined ? null : toJson((await chain.tree.inclusion(beacon, size)).proof),
        checkpoint,
    }
}

/** Neighbours together: a round of a thousand parties is a few reads, not thousands. */
function runsOf(indices: readonly number[]): number[][] {
    const runs: number[][] = []
    for (const index of indices) {
        const last = runs.at(-1)
        if (last?.at(-1) === index - 1) last.push(index)
        else runs.push([index])
    }
    return runs
}

async function beaconOf(chain: Chain, index: number): Promise<{ output: string } | undefined> {
    const [bytes] = await chain.entries(index, 1)
    const entry = bytes && decodeEntry(bytes)
    return entry?.kind === "beacon" ? { output: toHex(entry.output) } : undefined
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

function statusOf({ code }: Refusal): number {
    if (code === "rate-limited") return 429
    if (code === "shutting-down") return 503
    return code === "no-such-entry" || code === "wrong-chain" ? 404 : 400
}

export function answerError(
    error: unknown,
    reply: FastifyReply,
    onFailure: ReadSide["onFailure"],
): FastifyReply {
    if (error instanceof Refusal) {
        return reply
            .code(statusOf(error))
            .send({ code: error.code, detail: error.message, facts: error.facts })
    }
    // Fastify's own refusals of a request carry a status; anything else is a defect of ours, and stays here.
    const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500
    if (status >= 500) onFailure(error)
    const detail = status < 500 && error instanceof Error ? error.message : "internal error"
    return reply.code(status).send({ code: status < 500 ? "malformed" : "internal", detail, facts: {} })
}

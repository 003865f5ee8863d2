/**
 * The REST interface of a NIST Randomness Beacon 2.0, with the paths that the comments of beacon-2.0.xsd name. JSON as
 * NIST's server writes it, or the schema's XML for whoever prefers that.
 */
import { fromHex } from "@tallylight/crypto/bytes.js"
import { pulseJson } from "@tallylight/protocol/pulse/json.js"
import { errorXml, pulseListXml, pulseXml } from "@tallylight/protocol/pulse/xml.js"
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify"

import { certificatePem } from "./certificate.ts"
import { mostPulses, TooManyPulses } from "./pulse-reader.ts"
import type { PublishedPulse, PulseReader } from "./pulse-reader.ts"
import { prefersXml } from "./xml-preference.ts"

type Params = Readonly<Record<string, string>>
type Answer = (params: Params, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

/** Of what a number or a hash names, which is never anything else. */
const forever = "public, max-age=31536000, immutable"

/** A beacon that is not for everybody is none: no token is asked for. */
const everybody = { config: { open: true } } as const

class BadParameter extends Error {}

export function addPulseRest(server: FastifyInstance, reader: PulseReader): void {
    const get = (path: string, answer: Answer): void => {
        server.get<{ Params: Params }>(`/beacon/2.0${path}`, everybody, async (request, reply) => {
            reply.headers({ "access-control-allow-origin": "*", "x-content-type-options": "nosniff" })
            reply.headers({ "cache-control": "no-cache", vary: "accept" })
            try {
                return await answer(request.params, request, reply)
            } catch (error) {
                if (error instanceof BadParameter) return refuse(request, reply, 400, error.message)
                if (!(error instanceof TooManyPulses)) throw error
                const sentence = `More than ${mostPulses} pulses: ask for parts of the list.`
                return refuse(request, reply, 400, sentence)
            }
        })
    }
    const getPulse = (
        path: string,
        find: (params: Params) => Promise<PublishedPulse | undefined>,
        lasting = false,
    ): void =>
        get(path, async (params, request, reply) => {
            const found = await find(params)
            if (found === undefined) return refuse(request, reply, 404, "Pulse Not Available.")
            if (lasting) reply.header("cache-control", forever)
            return sendPulse(request, reply, found)
        })
    const getList = (
        path: string,
        kind: "chain" | "skipList",
        find: (params: Params) => Promise<readonly PublishedPulse[] | undefined>,
    ): void =>
        get(path, async (params, request, reply) => {
            const found = (await find(params)) ?? []
            if (found.length === 0) return refuse(request, reply, 404, "Pulse Not Available.")
            return sendList(request, reply, kind, found)
        })

    getPulse("/pulse/last", () => reader.last("last"))
    getPulse("/pulse/time/:time", (params) => reader.byTime(time(params, "time"), "at-or-next"))
    getPulse("/pulse/time/next/:time", (params) => reader.byTime(time(params, "time"), "next"))
    getPulse("/pulse/time/previous/:time", (params) => reader.byTime(time(params, "time"), "previous"))
    getPulse("/chain/last/pulse/last", () => reader.last("last"))
    getPulse("/chain/:chain/pulse/last", (params) => reader.last(index(params, "chain")))
    getPulse(
        "/chain/:chain/pulse/:pulse",
        (params) => reader.at(index(params, "chain"), index(params, "pulse")),
        true,
    )
    getList("/chain/time/:from/:to/previous", "chain", (params) =>
        reader.between(...inOrder(time(params, "from"), time(params, "to"))),
    )
    getList("/skipList/:from/:to", "skipList", (params) =>
        reader.skipListByTime(...inOrder(time(params, "from"), time(params, "to"))),
    )
    getList("/skipList/:chain/:from/:to", "skipList", (params) =>
        reader.skipList(index(params, "chain"), ...inOrder(index(params, "from"), index(params, "to"))),
    )
    get("/certificate/*", async (params, request, reply) => {
        const der = await reader.certificate(hash(params))
        if (der === undefined) return refuse(request, reply, 404, "Certificate Not Available.")
        reply.type("application/x-pem-file").header("cache-control", forever)
        return reply.send(certificatePem(der))
    })
    get("/externalSource/*", async (params, request, reply) => {
        const text = await reader.externalSource(hash(params))
        if (text === undefined) return refuse(request, reply, 404, "External Source Not Available.")
        return reply.type("text/plain; charset=utf-8").header("cache-control", forever).send(text)
    })
}

function sendPulse(request: FastifyRequest, reply: FastifyReply, found: PublishedPulse): FastifyReply {
    reply.header("x-rng-simulated", String(found.simulated))
    if (prefersXml(request.headers.accept)) return sendXml(reply, pulseXml(found.pulse))
    return reply.type("application/json; charset=utf-8").send(pulseJson(found.pulse))
}

function sendList(
    request: FastifyRequest,
    reply: FastifyReply,
    kind: "chain" | "skipList",
    found: readonly PublishedPulse[],
): FastifyReply {
    reply.header("x-rng-simulated", String(found.some(({ simulated }) => simulated)))
    const pulses = found.map(({ pulse }) => pulse)
    if (prefersXml(request.headers.accept)) return sendXml(reply, pulseListXml(kind, pulses))
    return reply.type("application/json; charset=utf-8").send({ [kind]: pulses.map(pulseJson) })
}

/** As NIST's server does, in plain text; in XML for whoever would have got that. */
function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    status: 400 | 404,
    sentence: string,
): FastifyReply {
    reply.code(status)
    if (prefersXml(request.headers.accept)) return sendXml(reply, errorXml(String(status), sentence))
    return reply.type("text/plain; charset=utf-8").send(sentence)
}

function sendXml(reply: FastifyReply, xml: string): FastifyReply {
    return reply.type("application/xml; charset=utf-8").send(xml)
}

function inOrder(a: number, b: number): [number, number] {
    return a <= b ? [a, b] : [b, a]
}

function time(params: Params, name: string): number {
    return number(params, name, "a time in milliseconds since 1970-01-01T00:00:00Z")
}

function index(params: Params, name: string): number {
    return number(params, name, "a number from 1 on")
}

function number(params: Params, name: string, what: string): number {
    const text = params[name] ?? ""
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN
    if (!Number.isSafeInteger(value)) throw new BadParameter(`Bad parameter “${name}”: expected ${what}.`)
    return value
}

/** The rest of the path: Fastify refuses a named parameter of more than 100 characters. */
function hash({ "*": text = "" }: Params): Uint8Array {
    if (/^[0-9a-fA-F]{128}$/.test(text)) return fromHex(text)
    throw new BadParameter("Bad parameter “id”: expected 128 hexadecimal digits.")
}

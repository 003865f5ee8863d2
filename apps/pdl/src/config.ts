/** Everything about a PDL that can be configured, with its default and the reason for it. */
import { z } from "zod"
import { isAddressRange } from "./limits/client-address.ts"

const uint32 = z.int().min(1).max(0xffffffff)
const ms = uint32

// As the genesis entry takes them (PROTOCOL.md §6.1): found wrong only there, they would leave half a data directory.

const name = z
    .string()
    .max(64)
    .regex(
        /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/,
        "only letters and digits of ASCII, spaces, dots, dashes and underscores",
    )

const origin = z
    .string()
    .max(255)
    .regex(/^[!-*,-~]+$/, "a host and path in ASCII, without spaces and plus signs")

/** Fixed for ever by the genesis entry; read by `pdl init` and by the first start without --data. */
const chain = z.strictObject({
    name: name.default("local"),
    /** The log's name (C2SP): a host and path under your control. Made from name and chance where absent. */
    origin: origin.optional(),
    expectedContributors: uint32.default(5),
    minimumContributors: uint32.default(1),
    /** Longer than it takes the slowest party to draw, seal and send: seconds over the internet. */
    contributionWindowMs: ms.default(10_000),
    decryptionWindowMs: ms.default(10_000),
    queueLength: z.int().min(1).max(0xffff).default(64),
    /** Rounds after which a registration that was not renewed ends. Apps renew at half of it. */
    registrationRounds: z.int().min(2).max(0xffffffff).default(1000),
    /** Parties that are not elected answer too: rounds close early, and absence is visible. */
    everyoneAnswers: z.boolean().default(true),
    /** Who may register as a party: everybody, or those on the operator's list. */
    admission: z.enum(["open", "listed"]).default("open"),
    /** Who signs that list, in hexadecimal digits. Where absent, `init` makes a key, to be moved away from the server. */
    operatorKey: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "the 64 hexadecimal digits that `tallylight pdl operator-key` prints")
        .optional(),
})

const budget = (burst: number, perMinute: number) =>
    z
        .strictObject({
            burst: z.int().min(1).default(burst),
            perMinute: z.number().positive().default(perMinute),
        })
        .prefault({})

const addresses = z.array(z.string().refine(isAddressRange, "no address, and no range such as 10.0.0.0/8"))

export const pdlConfig = z.strictObject({
    host: z.string().default("127.0.0.1"),
    /** 0 picks a free one. */
    port: z.int().min(0).max(65_535).default(7710),
    /** A certificate with those of its authorities, and its key, in PEM: https and wss, and nothing else, on the port. */
    tls: z.strictObject({ certFile: z.string(), keyFile: z.string() }).optional(),
    /** Plain HTTP and WebSocket also where other machines can connect: for a TLS proxy elsewhere. */
    allowPlain: z.boolean().default(false),
    chain: chain.prefault({}),
    /** On a port of its own, in plain HTTP: what loads a server is not for everybody. */
    metrics: z
        .strictObject({
            enabled: z.boolean().default(false),
            host: z.string().default("127.0.0.1"),
            port: z.int().min(0).max(65_535).default(7711),
        })
        .prefault({}),
    /** Proxies of your own in front of it, whose X-Forwarded-For is believed. */
    trustedProxies: addresses.default([]),
    /** Limits per address do not bind these. */
    unlimitedAddresses: addresses.default(["127.0.0.0/8", "::1"]),
    limits: z
        .strictObject({
            /** The largest honest message, a committee of 256 registering, has 50 KB. */
            frameBytes: z
                .int()
                .min(1024)
                .default(128 * 1024),
            /** Requests of one connection that are worked on, or whose answers it has not taken; the next waits unread. */
            concurrentRequests: z.int().min(1).default(64),
            /** Refused messages of one connection before it is closed: an honest one has a handful. */
            failures: budget(64, 60),
            /** Messages that wait for the verification of their proofs, an eighth from one address; the next comes back. */
            backlog: z.int().min(1).default(4096),
            /** Threads that verify proofs, for all chains together. Where absent: all cores but one, which the server keeps. */
            proofWorkers: z.int().min(1).max(1024).optional(),
            connections: z.int().min(1).default(10_000),
            /** One household, or one machine with many parties; an IPv6 address stands for its /64. */
            connectionsPerAddress: z.int().min(1).default(256),
            /** For a connection to say hello: who says nothing takes a place from somebody who would. */
            helloMs: ms.default(10_000),
            /** What the server holds for a connection that reads slowly. */
            bufferedBytes: z
                .int()
                .min(1024)
                .default(1024 * 1024),
            /** Of all connections together; beyond it, those that hold most are dropped. */
            bufferedBytesTotal: z
                .int()
                .min(1024 * 1024)
                .default(256 * 1024 * 1024),
            /** How long a connection may take nothing of that before it is dropped. */
            stalledMs: ms.default(30_000),
            heartbeatMs: ms.default(30_000),
            requestTimeoutMs: ms.default(10_000),
            /** Kibibytes of registrations of newcomers: the ledger keeps each for ever. A party's is one. */
            registrations: budget(1024, 60),
            /** The same of one address; and once more for renewals and revocations from there. */
            registrationsPerAddress: budget(64, 6),
            /** Kibibytes of renewals of one identity, however many strangers there are. */
            renewalsPerIdentity: budget(64, 0.2),
            /** Requests from one address that may wait in the queue. */
            queuedPerAddress: z.int().min(1).default(8),
            /** Open connections that are no WebSocket (yet). */
            httpConnections: z.int().min(1).default(1024),
            httpConnectionsPerAddress: z.int().min(1).default(64),
            /** For a whole request to arrive, and for a part of its answer to be taken. */
            httpRequestMs: ms.default(10_000),
            /** From one request to the next of the same connection. */
            httpIdleMs: ms.default(60_000),
            /** Of one address, for what is read from the disk: entries, rounds and tiles. */
            httpRequestsPerSecond: z.int().min(1).default(100),
        })
        .prefault({}),
})

export type PdlConfig = z.output<typeof pdlConfig>

/** What may be reached, and how often it was is a metric of that name. More threads than there are nobody asks for. */
export type LimitName = Exclude<keyof PdlConfig["limits"], "proofWorkers">

export function limitNames({ proofWorkers: _, ...limits }: PdlConfig["limits"]): LimitName[] {
    return Object.keys(limits) as LimitName[]
}

/** Everything about the HTTP side that can be configured, with its default and the reason for it. */
import { z } from "zod"
import { budgetSetting } from "./tokens.ts"

const ms = z.int().min(1).max(0x7fffffff)
const port = z.int().min(0).max(65_535)
const mebibyte = 1024 * 1024

export const httpSettings = z.strictObject({
    /** An address other than loopback needs `tokensFile` or `allowOpen`, and `tls` alone or `allowPlain`. */
    host: z.string().default("127.0.0.1"),
    /** Of plain HTTP: 0 picks a free one, null leaves it out. */
    port: port.nullable().default(7730),
    /** HTTPS beside it, HTTP/2 and HTTP/1.1: a certificate with those of its authorities, and its key, in PEM. */
    tls: z.strictObject({ certFile: z.string(), keyFile: z.string(), port: port.default(7731) }).optional(),
    /** A Unix socket beside them, for programs of this machine; file permissions say who may ask, without a token. */
    socket: z
        .strictObject({
            path: z.string(),
            /** Whether those of the file's group may connect too, and not only its owner. */
            group: z.boolean().default(false),
        })
        .optional(),
    /** Plain HTTP also where other machines can connect: for a TLS proxy elsewhere. Tokens cross the network readable. */
    allowPlain: z.boolean().default(false),
    /** Answers whoever has no token also where there is a tokens file, or other machines can connect. */
    allowOpen: z.boolean().default(false),
    /** Names by which clients may call it beside localhost and loopback addresses, while it listens on loopback. */
    hostNames: z.array(z.string().toLowerCase()).default([]),
    /** Processes that serve HTTP; 0 serves in the process that has the sources. */
    workers: z.int().min(0).max(256).default(0),
    /** Of JSON with comments; see {@link readTokens}. Where absent, whoever reaches the node may ask. */
    tokensFile: z.string().optional(),
    /** Bytes in a period; where absent, nothing is counted. */
    budgets: z
        .strictObject({
            /** Of each token that has none of its own. */
            token: budgetSetting.optional(),
            /** Of all together who show no token. */
            open: budgetSetting.optional(),
        })
        .prefault({}),
    /** When a serving process gets a new seed from the pool. */
    reseed: z
        .strictObject({
            /** At most a second, because whoever gets no seed gives no bytes: that is how a failed source is noticed. */
            ms: z.int().min(10).max(1000).default(1000),
            bytes: z
                .int()
                .min(mebibyte)
                .default(256 * mebibyte),
        })
        .prefault({}),
    limits: z
        .strictObject({
            /** Values in one answer of /api/v1/data, as many as LoKey's. */
            values: z.int().min(1).max(1_000_000).default(100_000),
            /** Of raw bytes in one answer: whoever asks for all of the queue leaves others none. */
            rawBytes: z
                .int()
                .min(1)
                .default(64 * 1024),
            /** Of /v1/random in one request. Above a mebibyte they come in pieces, as fast as they are taken. */
            streamBytes: z
                .int()
                .min(mebibyte)
                .default(1024 * mebibyte),
            /**
             * Of answers that clients have not taken yet, in each serving process: all of pictures, sounds and values;
             * of /v1/random up to a mebibyte of each connection, or a piece where there is less room. Who then comes
             * gets `busy`, and always does whoever asks for more than this at once.
             */
            heldBytes: z
                .int()
                .min(mebibyte)
                .default(256 * mebibyte),
            /** Pixels along an edge of an image: this many take some 30 ms of a core. */
            imagePixels: z.int().min(1).max(2048).default(1024),
            /** Open connections of each serving process, on all its ports; one more is closed at once. */
            connections: z.int().min(1).default(4096),
            /** For a whole request to arrive, and for a part of its answer to be taken: with HTTP/2 16 KiB in a session. */
            requestMs: ms.default(30_000),
            /** From one request to the next of the same connection. */
            idleMs: ms.default(60_000),
            /**
             * Questions of one worker that wait for the process that has the sources; the next request gets `busy`. Those
             * for a seed, and what gives a caller bytes back, are asked nevertheless.
             */
            questions: z.int().min(1).default(4096),
            /** For requests in progress when the node is stopped. */
            stopMs: ms.default(5000),
        })
        .prefault({}),
})

export type HttpSettings = z.output<typeof httpSettings>

/** Generators that are asked over HTTP: ID Quantique's appliance, and ANU's service. */
import { isLoopback } from "@tallylight/node/loopback.js"
import { z } from "zod"

import { sourceName } from "./source-name.ts"

const ms = z.int().min(0).max(0x7fffffff)

/** In plain HTTP everybody on the way knows the bytes, and the key. */
const address = z
    .url({ protocol: /^https?$/, abort: true })
    .refine(
        (url) => url.startsWith("https:") || isLoopback(new URL(url).hostname),
        "https, or http to this machine",
    )
    // What is in the address is shown in the status, and to whoever reads the settings.
    .refine((url) => {
        const { username, password } = new URL(url)
        return username === "" && password === ""
    }, "a URL without user and password; the appliance takes none, and ANU's key belongs in the file of keyFile")
    // The path is the interface's own, and is put behind it.
    .refine((url) => ["", "/"].includes(url.replace(/^[^:]+:\/\/[^/?#]*/, "")), "a URL without a path")

const common = {
    kind: z.literal("qrng-http"),
    name: sourceName,
    /** Certificates in PEM that are trusted instead of the public authorities: an appliance often has its own. */
    caFile: z.string().min(1).optional(),
    /** For a whole answer. */
    timeoutMs: ms.min(1).default(10_000),
    /** How long a read waits where the server asks to be left alone; longer, and the source is given up until then. */
    patienceMs: ms.default(30_000),
    /**
     * Bits per byte. Both makers claim full entropy after their own processing, of which nothing can be seen from here, no
     * more than who has seen the bytes.
     */
    minEntropy: z.number().positive().max(8).default(4),
}

const idQuantique = z.strictObject({
    api: z.literal("idq"),
    ...common,
    /** Of the appliance, without a path. */
    url: address,
    /** Bytes as they are, or as hexadecimal digits in JSON. */
    format: z.enum(["streambytes", "hexbytes"]).default("streambytes"),
    /** Most bytes of one request. */
    blockBytes: z.int().min(1).max(1_048_576).default(16_384),
    minIntervalMs: ms.default(0),
})

const anu = z.strictObject({
    api: z.literal("anu"),
    ...common,
    url: address.default("https://api.quantumnumbers.anu.edu.au"),
    /** One line, for nobody but its owner to read: the key that quantumnumbers.anu.edu.au gave. */
    keyFile: z.string().min(1),
    /** 1024 bytes a request, or twenty times as many. */
    type: z.enum(["uint8", "hex16"]).default("hex16"),
    /** From one request to the next: a trial account has one a second. */
    minIntervalMs: ms.default(1000),
})

export const qrngHttpSettings = z.discriminatedUnion("api", [idQuantique, anu])

export type QrngHttpSettings = z.output<typeof qrngHttpSettings>
export type IdQuantiqueSettings = z.output<typeof idQuantique>
export type AnuSettings = z.output<typeof anu>

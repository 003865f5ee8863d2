/** The decoders of everything that comes from others. */
import { concatBytes, equalBytes, toHex, toUtf8, uint16, utf8 } from "@tallylight/crypto/bytes.js"
import {
    formatCheckpoint,
    openCheckpoint,
    parseCheckpoint,
    signCheckpoint,
} from "@tallylight/crypto/checkpoint.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import {
    addCosignature,
    formatNote,
    formatVerifierKey,
    noteKey,
    parseNote,
    parseVerifierKey,
} from "@tallylight/crypto/note.js"
import {
    decodeEntryBundle,
    encodeEntryBundle,
    entriesPath,
    parseTilePath,
    tilePath,
} from "@tallylight/crypto/tiles.js"
import { apply } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { toJson } from "@tallylight/protocol/ledger/json.js"
import { verifyEntry } from "@tallylight/protocol/ledger/verify.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { DecodeError } from "@tallylight/protocol/wire/decode-error.js"
import { decodeFrame, encodeFrame } from "@tallylight/protocol/wire/frame.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { samples } from "../samples/messages.ts"
import { mutateMessage } from "./mutate-value.ts"
import { promise } from "./target.ts"
import type { Target } from "./target.ts"

const chain = new Uint8Array(32).fill(7)
const frameLimit = 128 * 1024
const seed = new Uint8Array(32).fill(9)
const origin = "tallylight/fuzz/0123456789abcdef"
const publicKey = ed25519PublicKey(seed)

const note = signCheckpoint({ origin, size: 70_000, root: chain }, seed)
const cosigned = addCosignature(note, { name: "witness.example", seed, time: 1_800_000_000 })
const { entries, states } = sampleLedger()
const encoded = entries.map(encodeEntry)
const paths = ["tile/0/000", "tile/63/x001/x234/567.p/255", "tile/entries/x999/000.p/1", "tile/entries/123"]

const messages = Object.entries(samples).flatMap(([type, bodies]) =>
    bodies.map((body) => ({ type, id: type === "Event" ? 0 : 9, chain, body }) as Frame),
)

const frames: Target = {
    name: "frames",
    // Changing kilobytes finds no more than changing hundreds of bytes.
    corpus: messages.map(encodeFrame).filter(({ length }) => length < 4096),
    check: (input) => {
        const frame = unlessRefused(() => decodeFrame(input, frameLimit), DecodeError)
        if (frame === undefined) return "refused"
        const once = encodeFrame(frame)
        const twice = encodeFrame(decodeFrame(once, frameLimit))
        promise(equalBytes(once, twice), "a frame that is taken reads the same once it is encoded again")
        return "taken"
    },
}

const fields: Target = {
    ...frames,
    name: "fields",
    mutate: (dice) => mutateMessage(dice.pick(messages), dice),
}

const ledgerEntries: Target = {
    name: "entries",
    corpus: encoded,
    check: (input) => {
        const entry = unlessRefused(() => decodeEntry(input), Refusal)
        if (entry === undefined) return "refused"
        promise(equalBytes(encodeEntry(entry), input), "an entry has one encoding")
        JSON.stringify(toJson(entry))
        return "taken"
    },
}

const notes: Target = {
    name: "notes",
    corpus: [note, cosigned].map(utf8),
    check: (input) => {
        const parsed = parseNote(input)
        const opened = openCheckpoint(input, { origin, publicKey })
        if (opened !== undefined) {
            const signed = opened.size === 70_000 && equalBytes(opened.root, chain)
            promise(signed, "a checkpoint that opens is one that was signed")
        }
        if (parsed === undefined) return "refused"
        promise(formatNote(parsed) === toUtf8(input), "a note has one spelling")
        return "taken"
    },
}

const checkpoints: Target = {
    name: "checkpoints",
    corpus: [utf8(formatCheckpoint({ origin, size: 70_000, root: chain }))],
    check: (input) => {
        const text = toUtf8(input)
        const checkpoint = text === undefined ? undefined : parseCheckpoint(text)
        if (text === undefined || checkpoint === undefined) return "refused"
        // Extension lines may follow.
        promise(text.startsWith(formatCheckpoint(checkpoint)), "a checkpoint has one spelling")
        return "taken"
    },
}

const verifierKeys: Target = {
    name: "verifier-keys",
    corpus: [utf8(formatVerifierKey({ name: origin, type: noteKey, publicKey }))],
    check: (input) => {
        const text = toUtf8(input)
        const key = text === undefined ? undefined : parseVerifierKey(text)
        if (key === undefined) return "refused"
        promise(formatVerifierKey(key) === text, "a verifier key has one spelling")
        return "taken"
    },
}

const tilePaths: Target = {
    name: "tile-paths",
    corpus: paths.map(utf8),
    check: (input) => {
        const text = toUtf8(input)
        const tile = text === undefined ? undefined : parseTilePath(text)
        if (tile === undefined) return "refused"
        const path = tile.kind === "hashes" ? tilePath(tile) : entriesPath(tile.index, tile.width)
        promise(path === text, "a tile has one path")
        return "taken"
    },
}

const bundles: Target = {
    name: "bundles",
    // The first byte says how many entries are asked for, as the path of a bundle does.
    corpus: [1, 3, 8].map((count) => Uint8Array.of(count, ...encodeEntryBundle(encoded.slice(0, count)))),
    check: (input) => {
        const [count = 0] = input
        if (count === 0) return "refused"
        const held = decodeEntryBundle(input.subarray(1), count)
        if (held === undefined) return "refused"
        promise(equalBytes(encodeEntryBundle(held), input.subarray(1)), "a bundle has one encoding")
        return "taken"
    },
}

const timeless = new Set(entries.map(withoutTime))

function withoutTime(entry: Entry): string {
    // Deadlines are the time and a length that the chain fixes.
    const closes = "closesAt" in entry ? { closesAt: 0 } : {}
    const answers = "answerBy" in entry ? { answerBy: 0 } : {}
    return toHex(encodeEntry({ ...entry, time: 0, ...closes, ...answers }))
}

/** The place of an entry in the sample, in two bytes, and the entry. */
const nextEntries: Target = {
    name: "next-entries",
    corpus: encoded.slice(1).map((bytes, at) => concatBytes(uint16(at + 1), bytes)),
    check: (input) => {
        const [high = 0, low = 0] = input
        const place = high * 256 + low
        const state = states[place - 1]
        const entry = unlessRefused(() => decodeEntry(input.slice(2)), Refusal)
        if (state === undefined || entry === undefined) return "refused"
        const next = unlessRefused(() => {
            const after = apply(state, entry)
            verifyEntry(state, entry)
            return after
        }, Refusal)
        if (next === undefined) return "refused"
        // At another place than where it was logged, perhaps: some are due at several.
        promise(timeless.has(withoutTime(entry)), "what is taken was signed and proved, all but its time")
        return "taken"
    },
}

function unlessRefused<T>(decode: () => T, refusal: typeof DecodeError | typeof Refusal): T | undefined {
    try {
        return decode()
    } catch (error) {
        if (error instanceof refusal) return undefined
        throw error
    }
}

export const targets: readonly Target[] = [
    ...[frames, fields, ledgerEntries, nextEntries, notes, checkpoints, verifierKeys, tilePaths, bundles],
]

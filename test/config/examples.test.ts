/** The example configurations say of every setting what the code does without it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { entropyNodeConfig, sourceSettings } from "@tallylight/entropy-node/config.js"
import { tokenKeySettings } from "@tallylight/entropy-node/hsm/rsa-key.js"
import { loadConfig } from "@tallylight/node/config.js"
import { serverSettings } from "@tallylight/node/server-settings.js"
import { observerConfig } from "@tallylight/observer/config.js"
import { partyConfig } from "@tallylight/party/command.js"
import { pdlConfig } from "@tallylight/pdl/config.js"
import { requesterConfig } from "@tallylight/requester/config.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import jsonc from "jsonc-parser"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"

const examples = [
    { name: "pdl.jsonc", schema: pdlConfig },
    { name: "requester.jsonc", schema: requesterConfig },
    { name: "party.jsonc", schema: partyConfig },
    { name: "observer.jsonc", schema: observerConfig },
    { name: "entropy-node.jsonc", schema: entropyNodeConfig },
]

/** Paths such as limits.failures.burst, of settings and of groups of them; of alternatives, those of the first one. */
function settingsOf(schema: unknown, path = ""): string[] {
    if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
        return settingsOf(schema.unwrap(), path)
    if (schema instanceof z.ZodDiscriminatedUnion) return settingsOf(schema.options[0], path)
    if (!(schema instanceof z.ZodObject)) return []
    return Object.entries(schema.shape).flatMap(([key, value]) => {
        return [`${path}${key}`, ...settingsOf(value, `${path}${key}.`)]
    })
}

function keysOf(value: unknown, path = ""): string[] {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return []
    return Object.entries(value).flatMap(([key, below]) => {
        return [`${path}${key}`, ...keysOf(below, `${path}${key}.`)]
    })
}

/** With the settings that have no default, which stand there as comments. */
function uncommented(text: string): string {
    return text.replace(/^(\s*)\/\/ ("\w+": )/gm, "$1$2")
}

function read(name: string): Promise<string> {
    return readFile(example(name), "utf8")
}

function example(name: string): string {
    return fileURLToPath(new URL(`../../config/${name}`, import.meta.url))
}

describe.each(examples)("config/$name", ({ name, schema }) => {
    let folder: string
    beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), "tallylight-examples-"))
    })
    afterAll(() => rm(folder, { recursive: true }))

    test("sets everything that has a default to that default", async () => {
        expect(await loadConfig(schema, example(name))).toStrictEqual(await loadConfig(schema))
    })

    test("writes every default down", async () => {
        expect(jsonc.parse(await read(name), [], { allowTrailingComma: true })).toStrictEqual(
            await loadConfig(schema),
        )
    })

    test("has every setting of the schema, those without a default as comments", async () => {
        const keys = keysOf(jsonc.parse(uncommented(await read(name)), [], { allowTrailingComma: true }))
        expect(settingsOf(schema).length).toBeGreaterThan(1)
        expect(keys.toSorted()).toStrictEqual(settingsOf(schema).toSorted())
    })

    test("loads with those comments taken away", async () => {
        const file = join(folder, name)
        await writeFile(file, uncommented(await read(name)))
        expect(await loadConfig(schema, file)).toMatchObject(await loadConfig(schema))
    })
})

/** Elements of lists and alternatives, which stand there as comments that are indented, as code is. */
function examplesIn(text: string): unknown[] {
    const code = text.split("\n").map((line) => /^ *\/\/ {5}(.*)$/.exec(line)?.[1] ?? "")
    const blocks = code.join("\n").split(/\n{2,}/)
    return blocks
        .map((block) => /^(?:"key": )?(\{.*\}),$/s.exec(block.trim())?.[1])
        .filter((block) => block !== undefined)
        .map((block) => jsonc.parse(block, [], { allowTrailingComma: true }) as unknown)
}

/** Of alternatives within alternatives, each one. */
function alternativesOf(schema: unknown): z.ZodObject[] {
    if (schema instanceof z.ZodDiscriminatedUnion) return schema.options.flatMap(alternativesOf)
    return schema instanceof z.ZodObject ? [schema] : []
}

describe("the examples in config/entropy-node.jsonc", () => {
    const schemas = [
        ...alternativesOf(sourceSettings),
        ...alternativesOf(tokenKeySettings),
        z.strictObject(serverSettings),
    ]
    let examples: unknown[]
    beforeAll(async () => {
        examples = examplesIn(await read("entropy-node.jsonc"))
    })

    test("are one of each kind of source, of the key in a token, and of a chain", () => {
        expect(schemas.length).toBeGreaterThan(9)
        const found = schemas.map((schema) => examples.filter((one) => schema.safeParse(one).success).length)
        expect(found).toStrictEqual(schemas.map(() => 1))
        expect(examples).toHaveLength(schemas.length)
    })

    test("have every setting that is needed or has a default, and that default", () => {
        for (const schema of schemas) {
            const one = z
                .record(z.string(), z.unknown())
                .parse(examples.find((any) => schema.safeParse(any).success))
            for (const [key, setting] of Object.entries(schema.shape)) {
                if (!(setting instanceof z.ZodOptional)) expect(Object.keys(one)).toContain(key)
                if (setting instanceof z.ZodDefault) expect(one[key]).toStrictEqual(setting.parse(undefined))
            }
        }
    })
})

test("the settings in docs/HARDWARE.md load", async () => {
    const text = await readFile(new URL("../../docs/HARDWARE.md", import.meta.url), "utf8")
    const blocks = [...text.matchAll(/```jsonc\n(.*?)```/gs)].map(
        ([, block = ""]) => jsonc.parse(block) as unknown,
    )
    expect(blocks.length).toBeGreaterThan(4)
    expect(blocks.flatMap((block) => entropyNodeConfig.safeParse(block).error?.issues ?? [])).toStrictEqual(
        [],
    )
})

/** As `pdl init` would encode it. */
function fits(field: "name" | "origin", text: string): boolean {
    const { genesis } = new SampleLedger("names").state
    try {
        encodeEntry({ ...genesis, [field]: text })
        return true
    } catch (error) {
        if (error instanceof RangeError) return false
        throw error
    }
}

const names = [
    "a",
    "Main net 2-b_c.d",
    "What a chain!",
    "Zürich",
    "",
    " a",
    "x".repeat(64),
    "x".repeat(65),
    "a\n",
]
const origins = [
    "a",
    "beacon.example.org/main",
    "a b",
    "a+b",
    "ü",
    "",
    "a\u0000",
    "x".repeat(255),
    "x".repeat(256),
]

test.each([
    ...names.map((text) => ["name", text] as const),
    ...origins.map((text) => ["origin", text] as const),
])("takes the %s %j of a chain iff its genesis can carry it", (field, text) => {
    expect(pdlConfig.safeParse({ chain: { [field]: text } }).success).toBe(fits(field, text))
})

test("the configurations of the demonstration load", async () => {
    expect(await loadConfig(pdlConfig, example("local/pdl.jsonc"))).toMatchObject({ chain: { name: "demo" } })
    const node = await loadConfig(entropyNodeConfig, example("local/entropy-node.jsonc"))
    expect(node.sources).toMatchObject([{ kind: "atecc608a", simulated: true }])
})

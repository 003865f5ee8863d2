import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"

import { loadConfig } from "./config.ts"
import { UserError } from "./user-error.ts"

const schema = z.strictObject({
    host: z.string().default("127.0.0.1"),
    port: z.int().min(0).max(65_535).default(7710),
    limits: z
        .strictObject({ frameBytes: z.int().default(1024), connections: z.int().default(10) })
        .prefault({}),
})

describe("loadConfig", () => {
    let folder: string
    let file: string
    beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), "tallylight-config-"))
        file = join(folder, "pdl.jsonc")
    })
    afterEach(() => rm(folder, { recursive: true }))

    test("without a file is all defaults", async () => {
        expect(await loadConfig(schema)).toStrictEqual({
            host: "127.0.0.1",
            port: 7710,
            limits: { frameBytes: 1024, connections: 10 },
        })
    })

    test("takes comments, trailing commas and a byte order mark", async () => {
        await writeFile(
            file,
            '\uFEFF{\n    // where to listen\n    "port": 1, /* low */\n    "limits": { "connections": 2, },\n}\n',
        )
        expect(await loadConfig(schema, file)).toStrictEqual({
            host: "127.0.0.1",
            port: 1,
            limits: { frameBytes: 1024, connections: 2 },
        })
    })

    test("lays the command line over the file, setting by setting", async () => {
        await writeFile(file, '{ "port": 1, "host": "::1", "limits": { "connections": 2 } }')
        const config = await loadConfig(schema, file, {
            port: 5,
            host: undefined,
            limits: { frameBytes: 7, connections: undefined },
        })
        expect(config).toStrictEqual({ host: "::1", port: 5, limits: { frameBytes: 7, connections: 2 } })
        expect((await loadConfig(schema, undefined, { limits: { connections: 3 } })).limits.connections).toBe(
            3,
        )
    })

    test.each([
        ["an unknown setting", '{ "prot": 1 }', ": prot: there is no such setting"],
        ["one further down", '{ "limits": { "frames": 1 } }', ": limits.frames: there is no such setting"],
        ["a wrong type", '{ "port": "1" }', ": port: Invalid input: expected number, received string"],
        ["a value out of range", '{ "port": 65536 }', ": port: Too big: expected number to be <=65535"],
        ["a list", "[]", ": Invalid input: expected object, received array"],
        ["a broken line", '{\n  "port": 1\n  "host": "x"\n}', ":3:3: CommaExpected"],
        ["an end too soon", '{ "port": 1', ":1:12: CloseBraceExpected"],
        ["nothing", "", ":1:1: ValueExpected"],
        ["a setting twice", '{\n  "port": 1,\n  "port": 2\n}', ":3:3: “port” is set twice"],
    ])("refuses %s and says where", async (_, content, problem) => {
        await writeFile(file, content)
        await expect(loadConfig(schema, file)).rejects.toThrow(new UserError(`${file}${problem}`))
    })

    test("lets a setting stand in two places", async () => {
        const twice = z.strictObject({ a: z.strictObject({ x: z.int() }), x: z.int() })
        await writeFile(file, '{ "a": { "x": 1 }, "x": 2 }')
        expect(await loadConfig(twice, file)).toStrictEqual({ a: { x: 1 }, x: 2 })
    })

    test("lists all problems, one a line", async () => {
        await writeFile(file, '{ "port": -1, "a": 1, "b": 2 }')
        await expect(loadConfig(schema, file)).rejects.toThrow(
            new UserError(
                [
                    `${file}: port: Too small: expected number to be >=0`,
                    `${file}: a: there is no such setting`,
                    `${file}: b: there is no such setting`,
                ].join("\n"),
            ),
        )
    })

    test("names a file that is missing, and an override that is wrong", async () => {
        await expect(loadConfig(schema, file)).rejects.toThrow(
            new UserError(`there is no configuration file ${file}`),
        )
        await expect(loadConfig(schema, undefined, { port: -1 })).rejects.toThrow("the configuration: port: ")
    })
})

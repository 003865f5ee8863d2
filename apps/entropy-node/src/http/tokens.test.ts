import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { makeToken, readTokens, Tokens } from "./tokens.ts"

let folder: string
let file: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-tokens-"))
    file = join(folder, "tokens.jsonc")
})
afterEach(() => rm(folder, { recursive: true }))

const fallback = { bytes: 5, periodSeconds: 60 }

async function write(tokens: readonly object[], mode = 0o600): Promise<void> {
    await writeFile(file, JSON.stringify({ tokens }), { mode })
    await chmod(file, mode)
}

async function problem(): Promise<string> {
    const error: unknown = await readTokens(file, fallback).catch((reason: unknown) => reason)
    return error instanceof UserError ? error.message : `no UserError: ${String(error)}`
}

test("a token finds its caller, whose budget is its own or everybody's", async () => {
    const [lab, operator] = [makeToken(systemRandom), makeToken(systemRandom)]
    await write([
        { name: "lab", sha256: lab.sha256, budget: { bytes: 10 } },
        { name: "operator", sha256: operator.sha256, admin: true },
    ])
    const tokens = new Tokens(await readTokens(file, fallback))
    expect(tokens.caller(lab.token)).toEqual({
        ...{ name: "lab", admin: false, budget: { bytes: 10, periodSeconds: 86_400 } },
    })
    expect(tokens.caller(operator.token)).toEqual({ name: "operator", admin: true, budget: fallback })
    expect(tokens.caller(lab.sha256)).toBeUndefined()
    expect(tokens.caller(lab.token.toUpperCase())).toBeUndefined()
    expect(tokens.caller("")).toBeUndefined()
})

test("the hash is the one that sha256sum prints", async () => {
    // printf %s abc | sha256sum (FIPS 180-4's example)
    const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    await write([{ name: "lab", sha256 }])
    expect(new Tokens(await readTokens(file, undefined)).caller("abc")).toMatchObject({ name: "lab" })
})

test("a file that is missing, empty, ambiguous or readable by others is told in a sentence", async () => {
    const { sha256 } = makeToken(systemRandom)
    const other = makeToken(systemRandom).sha256
    expect(await problem()).toMatch(/^there is no file .+tokens\.jsonc, which http\.tokensFile names/)
    await write([])
    expect(await problem()).toMatch(/at least one token, or nobody could ask$/)
    await write([{ name: "lab", sha256: "abc" }])
    expect(await problem()).toMatch(/64 hexadecimal digits$/)
    await write([{ name: "Lab", sha256 }])
    expect(await problem()).toMatch(/small letters, digits, dots and dashes$/)
    for (const name of ["open", "socket"]) {
        await write([{ name, sha256 }])
        expect(await problem()).toMatch(/open and socket are taken$/)
    }
    await write([
        { name: "lab", sha256 },
        { name: "lab", sha256: other },
    ])
    expect(await problem()).toMatch(/two tokens have the same name, lab$/)
    await write([
        { name: "lab", sha256 },
        { name: "other", sha256 },
    ])
    expect(await problem()).toMatch(/two tokens have the same sha256/)
    await write([{ name: "lab", sha256 }], 0o640)
    expect(await problem()).toMatch(/^others may read .+ chmod 600/)
    await write([{ name: "lab", sha256 }])
    expect(await readTokens(file, fallback)).toHaveLength(1)
})

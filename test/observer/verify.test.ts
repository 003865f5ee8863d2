import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { encodeEntryBundle } from "@tallylight/crypto/tiles.js"
import { DoesNotHold } from "@tallylight/observer/does-not-hold.js"
import { selfTest } from "@tallylight/observer/self-test.js"
import { runVerify } from "@tallylight/observer/verify-command.js"
import type { VerifyOptions } from "@tallylight/observer/verify-command.js"
import type { VerifyJson } from "@tallylight/observer/verify-report.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { parseStatement } from "@tallylight/protocol/round/statement.js"
import { honest, seal } from "@tallylight/protocol/sample/mutant.js"
import { mutants } from "@tallylight/protocol/sample/mutants.js"
import { sampleLedger, sampleRounds } from "@tallylight/protocol/sample/scenario.js"
import { afterAll, describe, expect, test } from "vitest"
import { cleanUp, filesOf, folderOf, never, newFolder, paper, serve, spoil } from "./fixtures.ts"
import type { Files } from "./fixtures.ts"

const sample = sampleLedger()
const size = sample.entries.length
const chain = toHex(sample.state.chain)
const beacons = sample.entries.filter(({ kind }) => kind === "beacon").length
const voids = sample.entries.filter(({ kind }) => kind === "void").length
const bundle = `tile/entries/000.p/${size}`

afterAll(cleanUp)

/** What was printed, and the error that makes the exit code 1. */
async function verify(options: VerifyOptions) {
    const to = paper()
    const error = await runVerify(options, never, to).then(
        () => undefined,
        (reason: unknown) => reason as Error,
    )
    return { error, printed: to.printed(), remarks: to.remarks() }
}

async function verifyJson(options: VerifyOptions) {
    const { error, printed } = await verify({ ...options, json: true })
    expect(printed.trim().split("\n")).toHaveLength(1)
    return { error, json: JSON.parse(printed) as VerifyJson }
}

/** The rule that was broken and its code, in the report of a folder with those files. */
async function broken(files: Files) {
    const { error, json } = await verifyJson({ dir: await folderOf(files) })
    expect(error).toBeInstanceOf(DoesNotHold)
    expect(json.holds).toBe(false)
    const verdicts = json.rules.filter(({ verdict }) => verdict === "broken")
    expect(verdicts).toHaveLength(1)
    return { rule: verdicts[0]?.rule, code: verdicts[0]?.first?.code, json }
}

describe("an honest ledger", () => {
    test("in a folder holds under its own ledger key, and is not taken for one of another key", async () => {
        const dir = await folderOf(filesOf(sample))
        const own = toHex(sample.state.genesis.ledgerKey)
        expect((await verify({ dir, ledgerKey: own })).error).toBeUndefined()
        const { error, printed } = await verify({ dir, ledgerKey: toHex(sample.state.genesis.messageKey) })
        expect(error?.message).toMatch(
            /^the ledger at .* is signed with .*, and not with the key that was given/,
        )
        expect(printed).toBe("")
    })

    test("holds, from a folder and over HTTP", async () => {
        const files = filesOf(sample)
        const { url } = await serve(sample.state.chain, files)
        for (const options of [{ dir: await folderOf(files) }, { url }]) {
            const { error, json } = await verifyJson({ ...options, chain })
            expect(error).toBeUndefined()
            expect(json).toMatchObject({
                ...{ holds: true, chain, name: "sample", size, verified: size, beacons, voids },
                unfinished: {
                    round: sampleRounds.unfinished,
                    phase: "open",
                    contributions: 1,
                    answered: 1,
                    roster: 3,
                },
            })
            expect(json.rules.filter(({ verdict }) => verdict === "holds").length).toBeGreaterThan(18)
        }
    })

    test("is described in words, its chain too where nobody asked for one", async () => {
        const dir = await folderOf(filesOf(sample))
        const { error, printed, remarks } = await verify({ dir })
        expect(error).toBeUndefined()
        expect(printed).toContain(`chain   ${chain} (sample)`)
        expect(printed).toMatch(/^holds {3}knowledge +\d+ {2}every contributor proved/m)
        expect(printed).toMatch(/^ {2}- {5}append-only/m)
        expect(printed).toContain(
            `${size} of ${size} entries verified: ${beacons} beacons, ${voids} void rounds`,
        )
        expect(printed).toMatch(
            /round 8 is unfinished: open until 2027-.*Z, 1 contribution so far, 1 of 3 parties/,
        )
        expect(printed).toContain("everything holds, up to here")
        expect(remarks).toContain(chain)
        expect((await verify({ dir, chain })).remarks).toBe("")
    })

    test("names the key holders that it convicts, and those that it misses", async () => {
        const dir = await folderOf(filesOf(sample))
        const { committee, solo } = sample.keys
        const wrong = sample.entries.flatMap((entry, index) =>
            entry.kind === "share" && !entry.valid ? [{ entry, index }] : [],
        )
        const { json } = await verifyJson({ dir, chain })
        const blamed = new Map(json.keyHolders.map((one) => [one.identity, one]))
        expect(json.keyHolders.length).toBe(blamed.size)
        const liars = new Set(wrong.map(({ entry }) => toHex(entry.identity)))
        expect(liars).toContain(toHex(committee.members[0]!.signer.publicKey))
        for (const liar of liars) {
            const own = wrong.filter(({ entry }) => toHex(entry.identity) === liar)
            expect(blamed.get(liar)).toMatchObject({ wrongShares: own.length, firstWrong: own[0]?.index })
        }
        expect(blamed.get(toHex(solo.signer.publicKey))).toMatchObject({
            ...{ member: 1, missing: 1, firstMissing: sampleRounds.withheld },
        })
        const others = [...blamed].filter(([identity]) => !liars.has(identity))
        expect(others.map(([, { wrongShares, firstWrong }]) => [wrongShares, firstWrong])).toEqual(
            others.map(() => [0, null]),
        )
        const { printed } = await verify({ dir })
        expect(printed).toMatch(
            /^CONVICTED {2}member 1 \([0-9a-f]{8}\) of requester [0-9a-f]{8}: signed 1 wrong share/m,
        )
        expect(printed).toMatch(/^missing {4}member 1 .*: no share in 1 withheld round, the first one 6$/m)
        expect(printed).toContain("everything holds, up to here")
    })

    test("counts what its contributions state, and calls it testimony", async () => {
        const dir = await folderOf(filesOf(sample))
        const { json } = await verifyJson({ dir, chain })
        const said = sample.entries.flatMap((entry) =>
            entry.kind === "contribution" ? [parseStatement(entry.statement)?.of] : [],
        )
        const count = (of: string | undefined) => said.filter((each) => each === of).length
        const identity = toHex(sample.node.signer.publicKey)
        expect(count("node")).toBeGreaterThan(0)
        expect(json.testimony).toEqual({
            nodes: [
                {
                    ...{ identity, registered: true, contributions: count("node") },
                    ...{ simulated: count("node"), failedSources: 0 },
                },
            ],
            withoutNode: count("party"),
            withoutStatement: count(undefined),
        })
        const { printed } = await verify({ dir })
        expect(printed).toContain(`testimony  node ${identity.slice(0, 8)}: ${count("node")} contribution`)
        expect(printed).toContain(`${count("node")} with simulated hardware, 0 with sources that failed`)
        expect(printed).toMatch(/statements are testimony, not proof/)
    })

    test("counts each entropy node's pulses: bound, not bound, missed", async () => {
        const dir = await folderOf(filesOf(sample))
        const { json } = await verifyJson({ dir, chain })
        const identity = toHex(sample.node.signer.publicKey)
        expect(json.pulses).toEqual([
            {
                ...{ identity, hardware: false, registered: true, pulses: 3, bound: 2 },
                ...{ notBound: 1, firstNotBound: sampleRounds.retried },
                ...{ missed: 1, firstMissedBefore: sampleRounds.retried },
                ...{ misdated: 0, firstMisdated: null, unsigned: 0 },
            },
        ])
        const { printed } = await verify({ dir })
        expect(printed).toContain(
            `pulses     node ${identity.slice(0, 8)}, simulated: 3 pulses, 2 bound, ` +
                "1 not bound, the first of round 5, 1 beacon missed, first before round 5\n",
        )
    })

    test("without any entropy node says nothing of them", async () => {
        const dir = await folderOf(filesOf(sample, sample.entries.slice(0, 10)))
        const { printed } = await verify({ dir })
        expect(printed).toContain("10 of 10 entries verified")
        expect(printed).not.toMatch(/testimony|^pulses {5}/m)
    })

    test("is another chain than the one that was meant", async () => {
        const { json, error } = await verifyJson({
            dir: await folderOf(filesOf(sample)),
            chain: "ab".repeat(32),
        })
        expect(error).toBeInstanceOf(DoesNotHold)
        expect(json.rules.find(({ rule }) => rule === "genesis")?.first?.code).toBe("wrong-chain")
        const mistyped = await verify({ dir: await folderOf(filesOf(sample)), chain: "abc" })
        expect(mistyped.error?.message).toBe("“abc” is no chain id: 64 hexadecimal digits")
    })

    test("with a size that its server makes up is not held in memory before it is there", async () => {
        const files = filesOf(sample)
        const checkpoint = seal(sample, sample.entries.map(encodeEntry), sample.keys.ledgerSeed)
        files.set("checkpoint", utf8(checkpoint.replace(`\n${size}\n`, `\n${Number.MAX_SAFE_INTEGER}\n`)))
        files.set("tile/entries/000", files.get(bundle)!)
        const { code } = await broken(files)
        expect(code).toBe("malformed-entry")
    })
})

describe("a spoilt ledger does not hold", () => {
    test("with one bit of an entry changed", async () => {
        const files = filesOf(sample)
        spoil(files, bundle)
        const { json } = await broken(files)
        expect(json.verified).toBeLessThan(size)
        const { printed, error } = await verify({ dir: await folderOf(files) })
        expect(printed).toMatch(/^BROKEN {2}/m)
        expect(printed).toContain("THIS LEDGER DOES NOT HOLD")
        expect(error?.message).toMatch(/^rule [a-z-]+ is broken at entry \d+: [a-z-]+$/)
    })

    test("with a bundle missing", async () => {
        const files = filesOf(sample)
        files.delete(bundle)
        expect(await broken(files)).toMatchObject({ rule: "entries", code: "missing-entries" })
    })

    test.each([
        ["cut", (bytes: Uint8Array) => bytes.slice(0, -1)],
        ["prolonged", (bytes: Uint8Array) => Uint8Array.of(...bytes, 0)],
    ])("with a bundle %s by a byte", async (_, edit) => {
        const files = filesOf(sample)
        files.set(bundle, edit(files.get(bundle)!))
        expect(await broken(files)).toMatchObject({ rule: "entries", code: "malformed-entry" })
    })

    test("with an entry too few in its bundle", async () => {
        const files = filesOf(sample)
        files.set(bundle, encodeEntryBundle(sample.entries.slice(0, -1).map(encodeEntry)))
        expect(await broken(files)).toMatchObject({ rule: "entries", code: "malformed-entry" })
    })

    test("under a checkpoint of another key", async () => {
        const files = filesOf(sample)
        const forged = seal(sample, sample.entries.map(encodeEntry), sample.keys.vrfSeed)
        files.set("checkpoint", utf8(forged))
        expect(await broken(files)).toMatchObject({ rule: "checkpoint", code: "bad-checkpoint" })
    })

    test("with a checkpoint of no entries", async () => {
        const files = filesOf(sample)
        files.set("checkpoint", utf8(seal(sample, [], sample.keys.ledgerSeed)))
        expect(await broken(files)).toMatchObject({ rule: "entries", code: "empty-ledger" })
    })
})

describe("where there is no ledger, nothing is good", () => {
    test.each([
        ["an empty folder", (_: Files): Files => new Map(), "empty-ledger"],
        ["a truncated checkpoint", truncated, "bad-checkpoint"],
        [
            "an empty checkpoint",
            (files: Files) => files.set("checkpoint", new Uint8Array()),
            "bad-checkpoint",
        ],
    ])("%s", async (_, edit, code) => {
        const dir = await folderOf(edit(filesOf(sample)))
        const { error, json } = await verifyJson({ dir })
        expect(error?.message).toMatch(new RegExp(`^${code}: .*checkpoint`))
        expect(json).toStrictEqual({ holds: false, code, problem: error?.message })
        expect((await verify({ dir })).printed).toBe("")
    })

    function truncated(files: Files): Files {
        const checkpoint = files.get("checkpoint")!
        return files.set("checkpoint", checkpoint.slice(0, checkpoint.length - 40))
    }

    test("a folder that is missing", async () => {
        const { error, json } = await verifyJson({ dir: join(await newFolder(), "nowhere") })
        expect(error?.message).toMatch(/^there is no folder .*nowhere$/)
        expect(json).toMatchObject({ holds: false, code: null })
    })

    test("a server that is not there, or none of ours", async () => {
        const { url } = await serve(sample.state.chain, new Map())
        const other = await verify({ url: `${url}/elsewhere` })
        expect(other.error?.message).toContain(`there is nothing at ${url}/elsewhere/v1/chains`)
        expect((await verify({ url })).error?.message).toMatch(/^empty-ledger: /)
        await cleanUp()
        const { error, json } = await verifyJson({ url })
        expect(error?.message).toBe(`nothing listens at ${url}/v1/chains`)
        expect(json).toStrictEqual({ holds: false, code: null, problem: error?.message })
    })
})

describe("a server", () => {
    test("that stumbles is asked again", async () => {
        const { url, asked, failures } = await serve(sample.state.chain, filesOf(sample))
        failures.set(bundle, [503, 500])
        expect((await verify({ url })).error).toBeUndefined()
        expect(asked.filter((path) => path === bundle)).toHaveLength(3)
    })

    test("that keeps failing is given up, with no verdict on its ledger", async () => {
        const { url, asked, failures } = await serve(sample.state.chain, filesOf(sample))
        failures.set(bundle, new Array<number>(9).fill(503))
        const { error, json } = await verifyJson({ url })
        expect(error?.message).toMatch(/cannot read .*: it answers 503$/)
        expect(error).not.toBeInstanceOf(DoesNotHold)
        expect(json).toMatchObject({ holds: false, code: null })
        expect(asked.filter((path) => path === bundle)).toHaveLength(4)
    })

    test.each([
        ["checkpoint", 64 * 1024],
        [bundle, size * 65_537],
    ])("cannot fill the memory with its %s", async (path, most) => {
        const files = filesOf(sample).set(path, new Uint8Array(most + 1))
        const { url, asked } = await serve(sample.state.chain, files)
        const { error } = await verify({ url })
        expect(error?.message).toContain(`answers with more than ${most} bytes`)
        expect(asked.filter((asking) => asking === path)).toHaveLength(1)
        const { error: ofFolder } = await verify({ dir: await folderOf(files) })
        expect(ofFolder?.message).toContain(`is larger than ${most} bytes`)
    })

    test("that has dropped a partial bundle is asked for the full one", async () => {
        const short = filesOf(sample, sample.entries.slice(0, 40))
        const files = filesOf(sample).set("checkpoint", short.get("checkpoint")!)
        // Not 256 of them, but what follows the 40th entry is no concern of this checkpoint's.
        const filler = new Array<Uint8Array>(256 - size).fill(Uint8Array.of(1))
        files.set("tile/entries/000", encodeEntryBundle([...sample.entries.map(encodeEntry), ...filler]))
        const { error, json } = await verifyJson({ dir: await folderOf(files) })
        expect(error).toBeUndefined()
        expect(json.verified).toBe(40)
    })

    test("is left as soon as the user wants to stop", async () => {
        const { url } = await serve(sample.state.chain, filesOf(sample))
        const stop = new AbortController()
        const reason = new Error("enough")
        const running = runVerify({ url, json: true }, stop.signal, paper())
        stop.abort(reason)
        await expect(running).rejects.toBe(reason)
    })
})

describe("a pinned checkpoint", () => {
    const early = () => filesOf(sample, sample.entries.slice(0, 30)).get("checkpoint")!

    async function fileOf(bytes: Uint8Array): Promise<string> {
        const file = join(await newFolder(), "seen")
        await writeFile(file, bytes)
        return file
    }

    test("is extended by an honest ledger, and replaced by the new one", async () => {
        const pin = await fileOf(early())
        const files = filesOf(sample)
        const { url } = await serve(sample.state.chain, files)
        const { error, json } = await verifyJson({ url, pin, saveCheckpoint: pin })
        expect(error).toBeUndefined()
        expect(json.rules.find(({ rule }) => rule === "append-only")?.verdict).toBe("holds")
        expect(new Uint8Array(await readFile(pin))).toStrictEqual(files.get("checkpoint"))
    })

    test("catches another history, and a shorter one, and stays what it was", async () => {
        const pin = await fileOf(filesOf(sample).get("checkpoint")!)
        const last = sample.entries.at(-1)!
        const other = sample.entries.with(-1, { ...last, time: last.time + 1 })
        const before = await readFile(pin)
        for (const entries of [other, sample.entries.slice(0, 30)]) {
            const { error, json } = await verifyJson({
                dir: await folderOf(filesOf(sample, entries)),
                pin,
                saveCheckpoint: pin,
            })
            expect(error).toBeInstanceOf(DoesNotHold)
            const rule = json.rules.find(({ verdict }) => verdict === "broken")
            expect([rule?.rule, rule?.first?.code]).toStrictEqual(["append-only", "forked"])
        }
        expect(await readFile(pin)).toStrictEqual(before)
    })

    test("that the chain did not sign accuses nobody", async () => {
        const entries = sample.entries.slice(0, 30).map(encodeEntry)
        const pin = await fileOf(utf8(seal(sample, entries, sample.keys.vrfSeed)))
        const { error, printed } = await verify({ dir: await folderOf(filesOf(sample)), pin })
        expect(error?.message).toContain("is not signed by the ledger key of this chain")
        expect(printed).toBe("")
    })

    test.each([
        ["missing", undefined, "there is no file"],
        ["damaged", utf8("checkpoint\n"), "is no signed checkpoint"],
        ["of the empty log", utf8(seal(sample, [], sample.keys.ledgerSeed)), "is no signed checkpoint"],
    ])("that is %s is a mistake of the user's", async (_, bytes, sentence) => {
        const pin = bytes === undefined ? join(await newFolder(), "seen") : await fileOf(bytes)
        const { error } = await verify({ dir: await folderOf(filesOf(sample)), pin })
        expect(error?.message).toContain(sentence)
        expect(error).not.toBeInstanceOf(DoesNotHold)
    })

    test("is kept where everything holds, and only there", async () => {
        const files = filesOf(sample)
        const saveCheckpoint = join(await newFolder(), "seen")
        const spoilt = filesOf(sample)
        spoil(spoilt, bundle)
        expect((await verify({ dir: await folderOf(spoilt), saveCheckpoint })).error).toBeDefined()
        await expect(readFile(saveCheckpoint)).rejects.toThrow("ENOENT")
        const dir = await folderOf(files)
        expect((await verify({ dir, saveCheckpoint })).error).toBeUndefined()
        expect(new Uint8Array(await readFile(saveCheckpoint))).toStrictEqual(files.get("checkpoint"))
        // What was seen before would be forgotten unless the ledger is held against it.
        const again = await verify({ dir, saveCheckpoint })
        expect(again.error?.message).toContain("give it as --pin too")
        expect((await verify({ dir, saveCheckpoint, pin: saveCheckpoint })).error).toBeUndefined()
    })
})

describe("the self-test", () => {
    test("names what each mutant broke and the code that refused it", async () => {
        const to = paper()
        await runVerify({ selfTest: true }, never, to)
        for (const { breaks, code } of mutants)
            expect(to.printed()).toMatch(new RegExp(`^${code} .*${breaks}$`, "m"))
        expect(to.printed()).toContain(`all ${mutants.length} forged ones are refused`)
    })

    test("fails where a mutant is accepted, or refused for another reason", async () => {
        const [first] = mutants
        const harmless = { ...first!, breaks: "nothing at all", mutate: honest }
        const misnamed = { ...first!, code: "wrong-output" as const }
        const to = paper()
        await expect(selfTest([harmless, first!, misnamed], { json: true }, never, to)).rejects.toThrow(
            DoesNotHold,
        )
        const { holds, honest: held, mutants: tried } = JSON.parse(to.printed()) as Record<string, unknown>
        expect([holds, held]).toStrictEqual([false, true])
        expect(tried).toMatchObject([
            { breaks: "nothing at all", got: null, refused: false },
            { code: "malformed-entry", got: "malformed-entry", refused: true },
            { code: "wrong-output", got: "malformed-entry", refused: false },
        ])
        const words = paper()
        await expect(selfTest([harmless], {}, never, words)).rejects.toThrow("do not rely on it")
        expect(words.printed()).toContain("ACCEPTED, not malformed-entry")
    })
})

test("a folder is not taken for a file", async () => {
    const dir = await newFolder()
    await mkdir(join(dir, "checkpoint"))
    const { error } = await verify({ dir })
    expect(error).toBeDefined()
})

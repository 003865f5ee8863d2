/** A ledger server that lies, over real sockets: what its followers file against it, and what a third person makes of that. */
import { once } from "node:events"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { join } from "node:path"
import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { Growth } from "@tallylight/crypto/merkle-growth.js"
import { initDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import { Follower } from "@tallylight/node/follower.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { DoesNotHold } from "@tallylight/observer/does-not-hold.js"
import { runVerify } from "@tallylight/observer/verify-command.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { encodeEntry, type EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { makeReceipt } from "@tallylight/protocol/ledger/receipt.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { flip, seal } from "@tallylight/protocol/sample/mutant.js"
import { describeBrokenPromise } from "@tallylight/protocol/session/receipts.js"
import { LogTree } from "@tallylight/pdl/ledger/tree.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { afterEach, describe, expect, test } from "vitest"
import { serveSample } from "../http/serving.ts"
import { cleanUp, filesOf, folderOf, never, newFolder, paper } from "../observer/fixtures.ts"

const closing: (() => unknown)[] = []
afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    await cleanUp()
})

const { length } = sampleLedger().entries

/** The sample, with admissions of that party behind it: another party is another history. */
function history(party: number, more: number): SampleLedger {
    const sample = sampleLedger()
    const listed = sample.keys.parties[party]!.signer.publicKey
    for (let on = true; sample.entries.length < length + more; on = !on) sample.admit(listed, on)
    return sample
}

/** An address at which one ledger is served, and then another. */
async function address() {
    const lines = new Set<Socket>()
    let target = 0
    const proxy = createServer((near) => {
        const far = connect(target, "127.0.0.1")
        for (const line of [near, far]) lines.add(line.on("error", () => undefined))
        near.pipe(far)
        far.pipe(near)
    }).listen(0, "127.0.0.1")
    await once(proxy, "listening")
    const cut = () => {
        for (const line of lines) line.destroy()
        lines.clear()
    }
    closing.push(() => {
        cut()
        proxy.close()
    })
    return {
        url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
        show: async (sample: SampleLedger): Promise<void> => {
            const serving = await serveSample(sample)
            closing.push(serving.close)
            target = Number(new URL(serving.url).port)
            cut()
        },
    }
}

async function dataDirectory(): Promise<string> {
    const path = join(await newFolder(), "observer")
    await initDataDir(path, "observer")
    return path
}

/** One life of an app: follows until it has seen `size` entries, and then `meanwhile`, or until it ends by itself. */
async function follow(
    url: string,
    data: string,
    size: number,
    meanwhile?: () => Promise<void>,
    onSteps = (): unknown => undefined,
) {
    const dir = await openDataDir({ path: data, named: true, role: "observer" })
    const stop = new AbortController()
    let reached = false
    try {
        const follower = await Follower.start({
            ...{ server: { url }, dir, stop: stop.signal },
            log: makeLogger({ name: "observer", level: "silent" }),
            proves: ({ kind }) => kind === "admission",
        })
        const run = follower.run({
            role: "observer",
            onSession: () => undefined,
            onSteps: () => {
                onSteps()
                if (reached || follower.replica.next < size) return
                reached = true
                follower
                    .remember()
                    .then(meanwhile)
                    .then(() => meanwhile ?? stop.abort())
                    .catch((error: unknown) => follower.end(error))
            },
        })
        return await run.then(
            () => undefined,
            (error: unknown) => error as Error,
        )
    } finally {
        await dir.release()
    }
}

async function evidenceIn(folder: string): Promise<string[]> {
    return (await readdir(folder))
        .filter((name) => name.startsWith("evidence"))
        .map((name) => join(folder, name))
}

async function check(evidence: string) {
    const to = paper()
    const error = await runVerify({ evidence }, never, to).then(
        () => undefined,
        (problem: unknown) => problem as Error,
    )
    return { error, printed: to.printed() }
}

describe("a follower that comes back", () => {
    test("to a ledger that has grown accuses nobody", async () => {
        const { url, show } = await address()
        const data = await dataDirectory()
        await show(history(3, 10))
        expect(await follow(url, data, length + 10)).toBeUndefined()
        await show(history(3, 20))
        expect(await follow(url, data, length + 20)).toBeUndefined()
        expect(await evidenceIn(data)).toEqual([])
    })

    test.each([10, 11, 20, 300])(
        "to another history of %i more entries files what convicts the server",
        async (size) => {
            const { url, show } = await address()
            const data = await dataDirectory()
            await show(history(3, 10))
            expect(await follow(url, data, length + 10)).toBeUndefined()
            await show(history(2, size))
            const error = await follow(url, data, Infinity)
            expect(error?.message).toMatch(
                /forked: .* signed two histories of one ledger; the proof is in .*evidence-fork-[0-9]+\.json/,
            )
            const [file] = await evidenceIn(data)
            const checked = await check(file!)
            expect(checked.error).toBeUndefined()
            expect(checked.printed).toContain("broke its word")
            expect(checked.printed).not.toContain("not shown")
        },
    )

    test("to a ledger that was cut short files both checkpoints, which convict nobody", async () => {
        const { url, show } = await address()
        const data = await dataDirectory()
        await show(history(3, 10))
        expect(await follow(url, data, length + 10)).toBeUndefined()
        await show(history(3, 5))
        const error = await follow(url, data, Infinity)
        expect(error?.message).toContain("convict nobody yet")
        const checked = await check((await evidenceIn(data))[0]!)
        expect(checked.error).toBeInstanceOf(DoesNotHold)
        expect(checked.printed).toContain("at most a reason to ask")
    })

    test("keeps what convicts the server, whatever the server shows next", async () => {
        const { url, show } = await address()
        const data = await dataDirectory()
        await show(history(3, 10))
        expect(await follow(url, data, length + 10)).toBeUndefined()
        await show(history(2, 20))
        await follow(url, data, Infinity)
        await show(history(3, 5))
        const error = await follow(url, data, Infinity)
        expect(error?.message).toContain("signed two histories")
        const files = await evidenceIn(data)
        expect(files).toHaveLength(1)
        expect((await check(files[0]!)).error).toBeUndefined()
    })
})

/** The sample, with some admissions and a party's registration behind it. */
function registered(admissions: number, more = 0): SampleLedger {
    const sample = history(3, admissions)
    sample.registerParty(sample.keys.parties[1]!, 7)
    const listed = sample.keys.parties[2]!.signer.publicKey
    for (let at = 0; at < more; at += 1) sample.admit(listed, at % 2 === 0)
    return sample
}

describe("a follower that stays connected", () => {
    test("to a ledger that grows accuses nobody", async () => {
        const { url, show } = await address()
        const data = await dataDirectory()
        await show(registered(10))
        let grown = false
        const later = follow(url, data, length + 14, undefined, () => (grown = true))
        await expect.poll(() => grown, { timeout: 20_000 }).toBe(true)
        await show(registered(10, 3))
        expect(await later).toBeUndefined()
        expect(await evidenceIn(data)).toEqual([])
    })

    test("and whose rules another history breaks files what convicts the server", async () => {
        const { url, show } = await address()
        const data = await dataDirectory()
        await show(registered(10))
        // The next entry is the registration, a second time.
        const error = await follow(url, data, length + 11, () => show(registered(11, 3)))
        expect(error?.message).toContain("forked")
        expect(error?.message).toContain("signed two histories of one ledger")
        expect(error?.message).toContain("noticed as stale-sequence")
        expect((await check((await evidenceIn(data))[0]!)).error).toBeUndefined()
    })

    test("and is shown a broken rule under one history says how anybody can see it", async () => {
        const { url, show } = await address()
        const data = await dataDirectory()
        await show(registered(10))
        const wrong = registered(10, 3)
        const last = wrong.entries.pop() as EntryOf<"admission">
        wrong.entries.push({ ...last, signature: flip(last.signature) })
        const error = await follow(url, data, length + 11, () => show(wrong))
        expect(error?.message).toContain("bad-signature")
        expect(error?.message).toContain(`observer verify --url ${url} --chain ${toHex(wrong.state.chain)}`)
        expect(await evidenceIn(data)).toEqual([])
    })
})

test("a follower that is shown another history while it is connected looks again, and convicts the server", async () => {
    const { url, show } = await address()
    const data = await dataDirectory()
    await show(history(3, 10))
    const error = await follow(url, data, length + 10, () => show(history(2, 20)))
    expect(error?.message).toContain("signed two histories")
    expect((await check((await evidenceIn(data))[0]!)).error).toBeUndefined()
})

describe("observer verify --pin", () => {
    async function verify(pinned: SampleLedger, shown: SampleLedger) {
        const folder = await newFolder()
        const pin = join(folder, "pinned")
        await writeFile(pin, filesOf(pinned).get("checkpoint")!)
        const error = await runVerify({ dir: await folderOf(filesOf(shown)), pin }, never, paper()).then(
            () => undefined,
            (problem: unknown) => problem as Error,
        )
        return { error, files: await evidenceIn(folder) }
    }

    test("of a ledger that has grown files nothing", async () => {
        expect(await verify(history(3, 10), history(3, 20))).toEqual({ error: undefined, files: [] })
    })

    test("of another history files what convicts the server", async () => {
        const { error, files } = await verify(history(3, 10), history(2, 20))
        expect(error?.message).toContain("prove that it signed two histories")
        expect((await check(files[0]!)).error).toBeUndefined()
    })

    test("of a shorter ledger files what convicts nobody", async () => {
        const { error, files } = await verify(history(3, 10), history(3, 5))
        expect(error?.message).toContain("convict nobody yet")
        expect((await check(files[0]!)).error).toBeInstanceOf(DoesNotHold)
    })
})

type Evidence = Record<string, unknown>

async function checkJson(evidence: Evidence) {
    const file = join(await newFolder(), "evidence.json")
    await writeFile(file, JSON.stringify(evidence))
    return check(file)
}

describe("evidence of two histories", () => {
    async function genuine(): Promise<Evidence> {
        const folder = await newFolder()
        const pin = join(folder, "pinned")
        await writeFile(pin, filesOf(history(3, 10)).get("checkpoint")!)
        await runVerify({ dir: await folderOf(filesOf(history(2, 20))), pin }, never, paper()).catch(
            () => undefined,
        )
        return JSON.parse(await readFile((await evidenceIn(folder))[0]!, "utf8")) as Evidence
    }

    const noteOf = (sample: SampleLedger, seed = sample.keys.ledgerSeed) =>
        seal(sample, sample.entries.map(encodeEntry), seed)
    const honest = history(3, 10)
    const changes: [string, (evidence: Evidence) => Evidence][] = [
        [
            "a checkpoint that another key signed",
            (evidence) => ({
                ...evidence,
                checkpoints: [noteOf(honest, honest.keys.vrfSeed), (evidence.checkpoints as string[])[1]],
            }),
        ],
        [
            "two checkpoints of one history, and the proof that they are that",
            (evidence) => {
                const grown = history(3, 20)
                const ranges = [emptyRange]
                for (const entry of grown.entries)
                    ranges.push(appendLeaf(ranges.at(-1)!, leafHash(encodeEntry(entry))))
                const growth = new Growth(ranges[honest.entries.length]!)
                for (const entry of grown.entries.slice(honest.entries.length))
                    growth.append(leafHash(encodeEntry(entry)))
                return {
                    ...evidence,
                    checkpoints: [noteOf(honest), noteOf(grown)],
                    prefix: toHex(rangeRoot(growth.from)),
                    consistency: growth.proof().map(toHex),
                }
            },
        ],
        [
            "one checkpoint twice",
            (evidence) => ({ ...evidence, checkpoints: [noteOf(honest), noteOf(honest)] }),
        ],
        ["no proof", (evidence) => ({ ...evidence, prefix: null, consistency: null })],
        ["another prefix", (evidence) => ({ ...evidence, prefix: "00".repeat(32) })],
        [
            "a proof that lacks a hash",
            (evidence) => ({
                ...evidence,
                consistency: (evidence.consistency as string[]).slice(1),
            }),
        ],
        ["another chain's id", (evidence) => ({ ...evidence, chain: "00".repeat(32) })],
    ]

    test("convicts; whatever is changed in it, it does not", async () => {
        const evidence = await genuine()
        expect((await checkJson(evidence)).error).toBeUndefined()
        for (const [what, change] of changes) {
            const { error, printed } = await checkJson(change(evidence))
            expect(error, what).toBeInstanceOf(DoesNotHold)
            expect(printed, what).toContain("not shown")
        }
    })

    test("of one size convicts without a proof", async () => {
        const checkpoints = [noteOf(honest), noteOf(history(2, 10))]
        const evidence = { ...(await genuine()), checkpoints, prefix: null, consistency: null }
        expect((await checkJson(evidence)).error).toBeUndefined()
    })

    test("that is no evidence file is told in a sentence", async () => {
        const { error } = await checkJson({ kind: "two-histories" })
        expect(error?.message).toMatch(/is no evidence file: see says/)
        const file = join(await newFolder(), "evidence.json")
        await writeFile(file, utf8("\u001b[31m{"))
        expect((await check(file)).error?.message).toContain("is no evidence file")
    })
})

describe("evidence of a broken receipt", () => {
    async function genuine(promised: number) {
        const sample = sampleLedger()
        const { chain, genesis } = sample.state
        const leaf = leafHash(encodeEntry(sample.entries[5]!))
        const receipt = makeReceipt(chain, seedSigner(sample.keys.messageSeed), 5, sample.entries[promised]!)
        const store = new MemoryStore()
        await store.append(await store.head(), sample.entries.map(encodeEntry), noteOf(sample))
        const tree = new LogTree(store)
        for (const entry of sample.entries) tree.append(encodeEntry(entry))
        const { proof } = await tree.inclusion(5, sample.entries.length)
        const log = { checkpoint: noteOf(sample), inclusion: proof }
        return describeBrokenPromise(genesis, chain, { receipt, leaf }, log)
    }
    const noteOf = (sample: SampleLedger) =>
        seal(sample, sample.entries.map(encodeEntry), sample.keys.ledgerSeed)

    test("convicts, and a receipt that was kept does not", async () => {
        expect((await checkJson(await genuine(6))).error).toBeUndefined()
        expect((await checkJson(await genuine(5))).error).toBeInstanceOf(DoesNotHold)
    })

    test("convicts nobody without its proof, or with another receipt", async () => {
        const evidence = await genuine(6)
        const forged = { ...evidence.receipt, leaf: toHex(new Uint8Array(32)) }
        for (const changed of [
            { ...evidence, inclusion: null },
            { ...evidence, receipt: forged },
        ])
            expect((await checkJson(changed)).error).toBeInstanceOf(DoesNotHold)
    })
})

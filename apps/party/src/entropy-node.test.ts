import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { drawAnswerJson } from "@tallylight/node/draw-exchange.js"
import type { DrawAnswer } from "@tallylight/node/draw-exchange.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { makeAbsence, parseStatement } from "@tallylight/protocol/round/statement.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import type { z } from "zod"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { makeCertificate } from "../../../test/certificates.ts"
import type { Certificate } from "../../../test/certificates.ts"
import { EntropyStandIn } from "../../../test/network/entropy-stand-in.ts"
import type { Reply, StandInOptions } from "../../../test/network/entropy-stand-in.ts"
import { NoEntropy } from "./entropy.ts"
import { EntropyNode } from "./entropy-node.ts"
import { openChannel } from "./entropy-node-request.ts"
import { entropyNodeSettings } from "./entropy-node-settings.ts"
import { Turns } from "./turns.ts"

let folder: string
let certificate: Certificate
const open: EntropyStandIn[] = []
/** What the person who runs the party is told. */
let told: string[]
let clock: ManualClock
let ledger: SampleLedger

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-entropy-"))
    certificate = await makeCertificate()
    await writeFile(join(folder, "cert.pem"), certificate.cert)
    await writeFile(join(folder, "token"), "secret-token\n", { mode: 0o600 })
})
afterAll(() => rm(folder, { recursive: true }))

/** An open round, in which all four parties are elected. */
beforeEach(() => {
    told = []
    clock = new ManualClock()
    ledger = new SampleLedger("entropy node")
    const { parties, solo } = ledger.keys
    for (const party of parties) {
        ledger.admit(party.signer.publicKey, true)
        ledger.registerParty(party)
    }
    ledger.registerRequester(solo)
    ledger.request(solo)
    ledger.due()
})
afterEach(() => {
    for (const standIn of open.splice(0)) standIn.close()
})

async function standIn(options: StandInOptions = {}): Promise<EntropyStandIn> {
    const one = await EntropyStandIn.listen(options)
    open.push(one)
    return one
}

type Given = Partial<z.input<typeof entropyNodeSettings>>

async function nodeAt(at: EntropyStandIn, given: Given = {}): Promise<EntropyNode> {
    const settings = entropyNodeSettings.parse({ url: at.url, identity: at.identity, ...given })
    return new EntropyNode(settings, await openChannel(settings), clock, {
        onFailing: (why) => told.push(`failing: ${why}`),
        onGiving: () => told.push("giving"),
        onStaysOut: (identity, round) => told.push(`${numberOf(identity)} stays out of round ${round}`),
    })
}

const identityOf = (number: number) => ledger.keys.parties[number]!.signer.publicKey
const numberOf = (identity: Uint8Array) =>
    ledger.keys.parties.findIndex(({ signer }) => toHex(signer.publicKey) === toHex(identity))
const draw = (node: EntropyNode, party = 0, state = ledger.state) =>
    node.draw(state, ledger.open(), identityOf(party))

const answers =
    (edit: (json: ReturnType<typeof drawAnswerJson>) => unknown) =>
    (honest: DrawAnswer): Reply => ({ status: 200, body: JSON.stringify(edit(drawAnswerJson(honest))) })

describe("a party's entropy node", () => {
    test("gives each party bytes of its own, and a statement that it signed for it", async () => {
        const at = await standIn()
        const node = await nodeAt(at)
        const drawn = await Promise.all([draw(node, 0), draw(node, 1)])
        expect(drawn.map(({ fromNode }) => toHex(fromNode)).toSorted()).toEqual(at.given.toSorted())
        for (const { statement } of drawn)
            expect(parseStatement(statement)).toMatchObject({ of: "node", account: { reseeds: 7 } })
        const asked = at.asked.map(({ identity }) => numberOf(identity))
        expect(asked.toSorted()).toEqual([0, 1])
        expect(at.asked[0]).toMatchObject({ round: 1, leaf: ledger.open().leaf, chain: ledger.state.chain })
        expect(told).toEqual([])
    })

    test("is used on a chain of version 1, whose contributions say nothing", async () => {
        const at = await standIn()
        const { state } = ledger
        const old: ChainState = { ...state, genesis: { ...state.genesis, version: 1 } }
        const { fromNode, statement } = await draw(await nodeAt(at), 0, old)
        expect(toHex(fromNode)).toBe(at.given[0])
        expect(statement).toHaveLength(0)
        at.reply = () => ({ status: 503, body: "" })
        expect(await draw(await nodeAt(at, { mode: "preferred" }), 0, old)).toEqual({
            ...{ fromNode: new Uint8Array(), statement: new Uint8Array() },
        })
    })

    test("is asked by some parties at a time, however many wait, and failures hold nobody up", async () => {
        let [running, most, done] = [0, 0, 0]
        const turns = new Turns(8)
        const work = async () => {
            most = Math.max(most, ++running)
            await Promise.resolve()
            running -= 1
            if (++done % 7 === 0) throw new Error("failed")
        }
        const all = await Promise.allSettled(Array.from({ length: 100 }, () => turns.take(work)))
        expect(most).toBe(8)
        expect(all.filter(({ status }) => status === "rejected")).toHaveLength(14)
    })
})

/** What goes wrong, what the ledger is told of it, and what the person is told beside that. */
const failures: readonly [
    what: string,
    reply: (at: EntropyStandIn) => EntropyStandIn["reply"],
    said: string,
    detail: RegExp,
][] = [
    [
        "has no 64 bytes",
        () => answers((json) => ({ ...json, bytes: json.bytes.slice(2) })),
        "the entropy node answers something else",
        /no bytes and statement as POST \/v1\/draw has them \(bytes\)$/,
    ],
    [
        "has no statement",
        () => answers(({ bytes }) => ({ bytes })),
        "the entropy node answers something else",
        /\(statement\)$/,
    ],
    [
        "says more than it should",
        () => answers((json) => ({ ...json, more: 1 })),
        "the entropy node answers something else",
        /has them/,
    ],
    [
        "is no JSON",
        () => () => ({ status: 200, body: "<html>" }),
        "the entropy node answers something else",
        /has them/,
    ],
    [
        "has a statement of no known form",
        () => answers((json) => ({ ...json, statement: `02${json.statement.slice(2)}` })),
        "the entropy node answers something else",
        /no known form/,
    ],
    [
        "has a statement that nobody signed",
        () => answers((json) => ({ ...json, statement: toHex(makeAbsence("no bytes today")) })),
        "the entropy node answers something else",
        /signed no statement/,
    ],
    [
        "is another node's",
        (at) => (honest, request) =>
            answers((json) => ({
                ...json,
                statement: toHex(at.statement(request, seedSigner(new Uint8Array(32).fill(9)))),
            }))(honest),
        "what answers is not the entropy node that was configured",
        /its identity is not the one in entropyNode.identity/,
    ],
    [
        "has a statement with a bit changed",
        () =>
            answers((json) => {
                const statement = fromHex(json.statement)
                statement[40] = (statement[40] ?? 0) ^ 1
                return { ...json, statement: toHex(statement) }
            }),
        "the entropy node's statement is not for this contribution",
        /bad-signature/,
    ],
    [
        "has a statement for another party",
        (at) => (honest, request) =>
            answers((json) => ({
                ...json,
                statement: toHex(at.statement({ ...request, identity: identityOf(1) })),
            }))(honest),
        "the entropy node's statement is not for this contribution",
        /bad-signature/,
    ],
    [
        "has the statement of another round",
        (at) => (honest, request) =>
            answers((json) => ({ ...json, statement: toHex(at.statement({ ...request, round: 2 })) }))(
                honest,
            ),
        "the entropy node's statement is not for this contribution",
        /bad-signature/,
    ],
    [
        "has the statement of another ticket",
        (at) => (honest, request) =>
            answers((json) => ({
                ...json,
                statement: toHex(at.statement({ ...request, leaf: new Uint8Array(32) })),
            }))(honest),
        "the entropy node's statement is not for this contribution",
        /bad-signature/,
    ],
    [
        "has the statement of another chain",
        (at) => (honest, request) =>
            answers((json) => ({
                ...json,
                statement: toHex(at.statement({ ...request, chain: new Uint8Array(32) })),
            }))(honest),
        "the entropy node's statement is not for this contribution",
        /bad-signature/,
    ],
    [
        "is that it is not ready",
        () => () => ({ status: 503, body: JSON.stringify({ detail: "chip is \u001b[31mmissing" }) }),
        "the entropy node says that it is not ready",
        /it answers 503: chip is \?\[31mmissing$/,
    ],
    [
        "is that it wants a token",
        () => () => ({ status: 401, body: "{}" }),
        "the entropy node refuses to give bytes",
        /it answers 401$/,
    ],
    [
        "sends the party elsewhere",
        (at) => () => ({ status: 307, body: "", location: `${at.url}/v1/draw` }),
        "the entropy node refuses to give bytes",
        /it answers 307$/,
    ],
    [
        "does not come",
        () => () => undefined,
        "the entropy node does not answer",
        /: it does not answer in time$/,
    ],
    [
        "has no end",
        () => () => ({ status: 200, body: "7".repeat(300_000) }),
        "the entropy node does not answer",
        /answers with more than \d+ bytes$/,
    ],
]

describe.each(failures)("an answer that %s", (_, reply, said, detail) => {
    async function spoilt(given: Given) {
        const at = await standIn()
        const node = await nodeAt(at, { timeoutMs: 5000, ...given })
        const honest = at.reply
        expect((await draw(node)).fromNode).toHaveLength(64)
        at.reply = reply(at)
        return { at, node, honest }
    }

    test("keeps a party out that requires its node, which is said once", async () => {
        const timeoutMs = said === "the entropy node does not answer" ? 1500 : 5000
        const { at, node, honest } = await spoilt({ timeoutMs })
        for (let tries = 0; tries < 2; tries++) {
            await expect(draw(node)).rejects.toThrow(NoEntropy)
            await clock.advance(1000)
        }
        expect(told).toEqual([`failing: ${told[0]?.slice(9)}`, "0 stays out of round 1"])
        expect(told[0]).toMatch(detail)
        expect(told[0]).toContain(said)
        at.reply = honest
        expect((await draw(node)).fromNode).toHaveLength(64)
        expect(told.slice(2)).toEqual(["giving"])
        for (const bytes of at.given) expect(told.join()).not.toContain(bytes.slice(2, 34))
    })

    test("makes a party that prefers its node go on alone and say so", async () => {
        const timeoutMs = said === "the entropy node does not answer" ? 1500 : 5000
        const { node } = await spoilt({ mode: "preferred", timeoutMs })
        const { fromNode, statement } = await draw(node)
        expect(fromNode).toHaveLength(0)
        expect(parseStatement(statement)).toEqual({ of: "party", reason: said })
        expect(told).toHaveLength(1)
    })
})

test("whoever waited behind a failure does not wait for another one", async () => {
    const at = await standIn()
    at.reply = () => ({ status: 503, body: "" })
    const node = await nodeAt(at)
    const all = await Promise.allSettled(Array.from({ length: 40 }, (_, party) => draw(node, party % 4)))
    expect(all.every(({ status }) => status === "rejected")).toBe(true)
    expect(at.asked.length).toBeLessThanOrEqual(8)
    expect(told.filter((line) => line.startsWith("failing"))).toHaveLength(1)
    expect(told.filter((line) => line.includes("stays out"))).toHaveLength(4)
})

describe("how long a silent node is waited for", () => {
    const nodeIn = (at: EntropyStandIn, leftMs: number): Promise<EntropyNode> => {
        clock = new ManualClock(ledger.open().closesAt - leftMs)
        return nodeAt(at, { mode: "preferred", timeoutMs: 3000 })
    }

    test("is less where less of the contribution window is left", async () => {
        const at = await standIn()
        at.reply = () => undefined
        const [soon, late] = [await nodeIn(at, 9000), await nodeIn(at, 1200)]
        const ended: string[] = []
        await Promise.all([
            draw(soon).then(() => ended.push("soon")),
            draw(late).then(() => ended.push("late")),
        ])
        expect(ended).toEqual(["late", "soon"])
    })

    test("is something, also where the clock is ahead of the ledger's", async () => {
        const node = await nodeIn(await standIn(), -3_600_000)
        expect((await draw(node)).fromNode).toHaveLength(64)
    })
})

test("a failure of another sort is told too", async () => {
    const at = await standIn()
    const node = await nodeAt(at)
    at.reply = () => ({ status: 503, body: "" })
    await expect(draw(node)).rejects.toThrow(NoEntropy)
    await clock.advance(1000)
    at.close()
    await expect(draw(node)).rejects.toThrow(NoEntropy)
    expect(told.filter((line) => line.startsWith("failing"))).toEqual([
        "failing: the entropy node says that it is not ready: it answers 503",
        expect.stringContaining("failing: the entropy node does not answer: connect ECONNREFUSED"),
    ])
})

describe("the channel", () => {
    test("is plain HTTP on this machine, or a Unix socket", async () => {
        const socketPath = join(folder, "node.sock")
        const at = await standIn({ socketPath })
        expect((await draw(await nodeAt(at))).fromNode).toHaveLength(64)
        expect(at.url).toBe(`unix:${socketPath}`)
    })

    test("is TLS with a certificate that was pinned, and with no other", async () => {
        const at = await standIn({ tls: certificate })
        const caFile = join(folder, "cert.pem")
        expect((await draw(await nodeAt(at, { caFile }))).fromNode).toHaveLength(64)
        await expect(draw(await nodeAt(at))).rejects.toThrow(NoEntropy)
        expect(told[0]).toContain(
            "signed by itself; get it from its operator and give it with entropyNode.caFile",
        )
        const other = join(folder, "other.pem")
        await writeFile(other, (await makeCertificate()).cert)
        await expect(draw(await nodeAt(at, { caFile: other }))).rejects.toThrow(NoEntropy)
        expect(told.at(-2)).toMatch(/does not answer: its certificate is/)
        const plain = await standIn()
        await expect(nodeAt(plain, { caFile })).rejects.toThrow("entropyNode.caFile is for https")
    })

    test("has the token of a file that nobody else may read", async () => {
        const at = await standIn({ token: "secret-token" })
        const tokenFile = join(folder, "token")
        expect((await draw(await nodeAt(at, { tokenFile }))).fromNode).toHaveLength(64)
        await expect(draw(await nodeAt(at))).rejects.toThrow(NoEntropy)
        expect(told[0]).toContain("it answers 401: nobody here has that token")
        await chmod(tokenFile, 0o644)
        await expect(nodeAt(at, { tokenFile })).rejects.toThrow(`chmod 600 ${tokenFile}`)
        await chmod(tokenFile, 0o600)
        await expect(nodeAt(at, { tokenFile: join(folder, "none") })).rejects.toThrow("there is no file")
        const twoLines = join(folder, "two lines")
        await writeFile(twoLines, "one\ntwo\n", { mode: 0o600 })
        await expect(nodeAt(at, { tokenFile: twoLines })).rejects.toThrow("holds no token")
    })
})

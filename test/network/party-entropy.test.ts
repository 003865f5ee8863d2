/** A party and its entropy node, or what says that it is one. */
import { chmod, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, nextLines, said } from "../processes/run.ts"
import type { Running } from "../processes/run.ts"
import { EntropyStandIn } from "./entropy-stand-in.ts"
import { Stage } from "./stage.ts"

let stage: Stage
let node: EntropyStandIn
let url: string

const token = "a-token-of-this-party-alone"

/** A server, and a requester that never waits. */
beforeEach(async () => {
    stage = await Stage.make()
    node = await EntropyStandIn.listen({ token })
    await writeFile(
        join(stage.folder, "pdl.jsonc"),
        JSON.stringify({ chain: { contributionWindowMs: 5000, minimumContributors: 1 } }),
    )
    await writeFile(join(stage.folder, "token"), token, { mode: 0o600 })
    const server = stage.start("pdl", "--config", "pdl.jsonc", "--json", "--url", "http://127.0.0.1:0")
    url = (JSON.parse(await nextLine(server)) as { readonly url: string }).url
})
afterEach(async () => {
    node.close()
    await stage.clear()
})

async function startParty(mode: string): Promise<Running> {
    const entropyNode = { url: "http://127.0.0.1:1", identity: node.identity, mode, tokenFile: "token" }
    await writeFile(join(stage.folder, "party.jsonc"), JSON.stringify({ entropyNode, count: 2 }))
    return stage.start("party", ...partyOptions())
}

const partyOptions = () => [
    ...["--config", "party.jsonc", "--url", url, "--entropy-node", node.url, "--log-level", "trace"],
]

/** The observer from now on. */
function watch(): Running {
    stage.start("requester", "--url", url, "--interval", "0")
    return stage.start("observer", "watch", "--json", "--url", url)
}

type Testimony = {
    readonly nodes: readonly { readonly identity: string; readonly contributions: number }[]
    readonly withoutNode: number
    readonly withoutStatement: number
}

async function verified(): Promise<Testimony> {
    const { stdout, stderr } = await stage.run("observer", "verify", "--json", "--url", url)
    if (stdout === "") throw new Error(stderr)
    const { holds, testimony } = JSON.parse(stdout) as { holds: boolean; testimony: Testimony }
    expect(holds).toBe(true)
    return testimony
}

/** What the node gave stays with the party, and so does its token. */
async function expectSecret(party: Running): Promise<void> {
    const files = await Promise.all(
        [1, 2].map((number) => readFile(join(stage.folder, `data/party/party-${number}/last-answer`), "hex")),
    )
    expect(node.given.length).toBeGreaterThan(0)
    for (const bytes of node.given) {
        for (const text of [party.remarks(), ...files]) expect(text).not.toContain(bytes.slice(0, 24))
    }
    expect(party.remarks()).not.toContain(token)
}

test("a required node's statements stand in the ledger; without it the parties stay out, and come back", async () => {
    const party = await startParty("required")
    const watching = watch()
    await nextLines(watching, 2)
    const { nodes, withoutNode, withoutStatement } = await verified()
    expect(nodes).toMatchObject([{ identity: node.identity }])
    expect([withoutNode, withoutStatement]).toEqual([0, 0])

    const { port } = node
    node.close()
    await said(party, "the entropy node does not answer")
    await said(party, "elected, and stays out without its entropy node")
    expect(party.remarks()).toContain("without it, elected parties stay out of their rounds")
    await said(watching, "no-contributor")
    // Told once for each party and round, however often they asked again.
    const out = [
        ...party.remarks().matchAll(/"party":"([0-9a-f]+)","round":(\d+),"msg":"elected, and stays/g),
    ]
    const rounds = out.map(([, who, round]) => `${who} ${round}`)
    expect(rounds.length).toBeGreaterThan(1)
    expect(rounds.length).toBe(new Set(rounds).size)
    expect(party.remarks().split("the entropy node does not answer").length - 1).toBe(1)

    const again = await EntropyStandIn.listen({ token, port })
    try {
        await said(party, "the entropy node gives bytes again")
        await nextLine(watching)
        expect(again.asked.length).toBeGreaterThan(0)
    } finally {
        again.close()
    }
    const after = await verified()
    expect(after).toMatchObject({ withoutNode: 0, withoutStatement: 0 })
    await expectSecret(party)
})

test("a preferred node that lies is not used, and the ledger says that the parties went on alone", async () => {
    const [honest] = [node.reply]
    node.reply = (drawn, request) =>
        honest({ ...drawn, statement: node.statement({ ...request, round: request.round + 1 }) }, request)
    const party = await startParty("preferred")
    await nextLines(watch(), 2)
    const { nodes, withoutNode, withoutStatement } = await verified()
    expect(nodes).toEqual([])
    expect(withoutNode).toBeGreaterThan(1)
    expect(withoutStatement).toBe(0)
    expect(party.remarks()).toContain("the entropy node's statement is not for this contribution")
    expect(party.remarks().split("parties contribute from the operating system alone").length - 1).toBe(1)
    await expectSecret(party)
})

test("the doctor looks at the node, and a start refuses what would not be safe", async () => {
    await startParty("required")
    const look = async () => {
        const { stdout } = await stage.run("party", "doctor", ...partyOptions(), "--json")
        const { checks } = JSON.parse(stdout) as { checks: { name: string; verdict: string; says: string }[] }
        return checks.find(({ name }) => name === "entropy node")
    }
    expect(await look()).toMatchObject({ verdict: "ok", says: `healthy at ${node.url}, chip` })
    node.status = { unready: ["chip is missing"] }
    expect(await look()).toMatchObject({ verdict: "fail", says: "not ready: chip is missing" })
    node.close()
    expect((await look())?.says).toContain(`nothing to draw from at ${node.url}: connect ECONNREFUSED`)

    await chmod(join(stage.folder, "token"), 0o644)
    const readable = await stage.run("party", ...partyOptions())
    expect([readable.code, readable.stderr]).toMatchObject([1, expect.stringContaining("chmod 600 token")])
    const plain = await stage.run("party", ...partyOptions(), "--entropy-node", "http://node.example:7730")
    expect(plain.code).toBe(1)
    expect(plain.stderr).toContain("over plain HTTP everybody on the way to node.example would learn")
})

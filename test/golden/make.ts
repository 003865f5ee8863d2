/** Writes the golden ledgers anew: `node --conditions=source --import tsx test/golden/make.ts --new-protocol-version`. */
import { writeFile } from "node:fs/promises"
import { toHex } from "@tallylight/crypto/bytes.js"
import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { RealNetwork } from "../torture/real-network.ts"
import { goldenFile, judge } from "./golden.ts"
import type { Golden, GoldenName } from "./golden.ts"

const beaconCount = 5

function sample(): Omit<Golden, "verdict"> {
    const { state, entries, keys } = sampleLedger()
    const { origin } = state.genesis
    const head = { origin, size: state.range.size, root: rangeRoot(state.range) }
    return {
        says: "The sample ledger, in which everything happens that can.",
        chain: toHex(state.chain),
        checkpoint: signCheckpoint(head, keys.ledgerSeed),
        entries: entries.map((entry) => toHex(encodeEntry(entry))),
    }
}

async function processes(): Promise<Omit<Golden, "verdict">> {
    const plan = { parties: [2, 1], intervalSeconds: 0, windowMs: 10_000, expectedContributors: 2 }
    const network = await RealNetwork.make(plan)
    try {
        await network.start()
        await network.until("beacons", async () => {
            return (await network.decoded()).filter(({ kind }) => kind === "beacon").length >= beaconCount
        })
        // Nothing is appended any more once those who answer and ask are gone, and what is due has passed.
        for (const app of [network.requester, ...network.parties]) await app.kill("SIGTERM")
        const { id } = await network.chain()
        const entries = []
        for await (const bytes of network.entries()) entries.push(toHex(bytes))
        const response = await fetch(`${network.url}/v1/chains/${id}/log/checkpoint`)
        return {
            says: "Rounds of a pdl, three parties in two processes and a requester.",
            chain: id,
            checkpoint: await response.text(),
            entries,
        }
    } finally {
        await network.clear()
    }
}

/** Of the newest protocol version only: those of older ones are not made any more. */
const makers = { "sample-2": sample, "processes-2": processes } satisfies Partial<
    Record<GoldenName, () => Promise<Omit<Golden, "verdict">> | Omit<Golden, "verdict">>
>

if (!process.argv.includes("--new-protocol-version")) {
    process.stderr.write(
        "The golden ledgers stand for every ledger that exists. Code that no longer takes them breaks all of those, so\n" +
            "they are written anew only with a new protocol version, and stay beside the new ones as long as the old version\n" +
            "is read. If that is what you want: --new-protocol-version\n",
    )
    process.exit(2)
}
for (const [name, make] of Object.entries(makers)) {
    const made = await make()
    const verdict = await judge(made)
    if (!verdict.holds) throw new Error(`${name} does not verify: try again`)
    await writeFile(goldenFile(name as GoldenName), `${JSON.stringify({ ...made, verdict }, null, 4)}\n`)
}

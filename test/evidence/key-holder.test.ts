/** A ledger server that shows a key holder another history than its followers, over real sockets. */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { initDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import { Follower } from "@tallylight/node/follower.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { runVerify } from "@tallylight/observer/verify-command.js"
import type { SealedRound } from "@tallylight/protocol/ledger/state.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { runRequester } from "@tallylight/requester/run.js"
import { afterEach, expect, test } from "vitest"
import { serveSample } from "../http/serving.ts"
import type { Serving } from "../http/serving.ts"
import { cleanUp, never, newFolder, paper } from "../observer/fixtures.ts"

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    await cleanUp()
})

/** A round of the solo requester that waits to be opened, and `more` entries behind its tally. */
function sealedSample(more: number): SampleLedger {
    const sample = new SampleLedger("key holder over sockets")
    const { parties, solo } = sample.keys
    const [one, other] = parties.slice(0, 2)
    for (const party of [one!, other!]) {
        sample.admit(party.signer.publicKey, true)
        sample.registerParty(party)
    }
    sample.registerRequester(solo)
    sample.request(solo)
    sample.answerAll([one!, other!])
    sample.due()
    for (let at = 0; at < more; at++) sample.admit(parties[3]!.signer.publicKey, at % 2 === 0)
    return sample
}

/** In one life of the requester: what it ended with, unless it was stopped, and what it filed. */
async function open(sample: SampleLedger, { url }: Serving, stop: AbortSignal) {
    const path = join(await newFolder(), "requester")
    await initDataDir(path, "requester")
    const dir = await openDataDir({ path, named: true, role: "requester" })
    const log = makeLogger({ name: "requester", level: "silent" })
    const { signer, members } = sample.keys.solo
    try {
        const follower = await Follower.start({
            ...{ server: { url }, dir, log, stop },
            proves: () => true,
        })
        const keys = { signer, secret: members[0]!.secret }
        const error = await runRequester(
            follower,
            keys,
            { rounds: Infinity, intervalMs: 0 },
            dir,
            log,
            () => undefined,
        ).then(
            () => undefined,
            (problem: unknown) => problem as Error,
        )
        const files = (await readdir(path)).filter((name) => name.startsWith("evidence"))
        return { error, files: files.map((name) => join(path, name)) }
    } finally {
        await dir.release()
    }
}

test("a key holder that is shown the checkpoint of its own ledger opens, and accuses nobody", async () => {
    const sample = sealedSample(3)
    const serving = await serveSample(sample)
    closing.push(serving.close)
    const stop = new AbortController()
    const opening = open(sample, serving, stop.signal)
    await expect.poll(() => sealed(serving).shares.length, { timeout: 60_000 }).toBe(1)
    stop.abort()
    expect(await opening).toEqual({ error: undefined, files: [] })
})

// 0: both checkpoints have one size, and need no proof.
test.each([0, 1, 3])(
    "a key holder that is shown another one files what convicts the server, %i entries later",
    async (more) => {
        const sample = sealedSample(more)
        const serving = await serveSample(sample)
        closing.push(serving.close)
        // The server signs what its memory says.
        Object.assign(sealed(serving), { tallyRoot: new Uint8Array(32) })
        const { error, files } = await open(sample, serving, never)
        expect(sealed(serving).shares).toEqual([])
        expect(error?.message).toMatch(/signed two histories of one ledger; the proof is in .*evidence-fork-/)
        // Rejects unless the file convicts.
        await runVerify({ evidence: files[0]! }, never, paper())
    },
)

function sealed({ chain }: Serving): SealedRound {
    const { current } = chain.state
    if (current?.phase !== "sealed") throw new Error("no round is sealed")
    return current
}

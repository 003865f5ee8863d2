import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import { pulseWords } from "@tallylight/observer/watch-command.js"
import { watch } from "@tallylight/observer/watch.js"
import type { WatchedPulse, WatchedRound } from "@tallylight/observer/watch.js"
import { Follower } from "@tallylight/node/follower.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { beaconPulseOf } from "@tallylight/protocol/round/beacon-pulse.js"
import { pick } from "@tallylight/protocol/sample/mutant.js"
import { sampleLedger, sampleRounds } from "@tallylight/protocol/sample/scenario.js"
import { afterAll, expect, test } from "vitest"
import { cleanUp, never, served } from "./fixtures.ts"

const sample = sampleLedger()
afterAll(cleanUp)

test("rounds and pulses are told apart, in their order, each verified here", async () => {
    const follower = await Follower.start({
        server: { url: await served(sample), chain: toHex(sample.state.chain) },
        dir: undefined,
        log: makeLogger({ name: "observer", level: "silent" }),
        stop: never,
        proves: () => true,
    })
    const told: (WatchedRound | WatchedPulse)[] = []
    await watch(follower, {
        ...{ from: 1, rounds: Infinity, onNews: () => undefined },
        onRound: (round) => told.push(round),
        onPulse: (pulse) => {
            told.push(pulse)
            if (pulse.round === sampleRounds.retried) follower.end()
        },
    })
    const { first, elected, committee, retried } = sampleRounds
    expect(told.map((each) => ["kind" in each ? "pulse" : "round", each.round])).toEqual([
        ["round", first],
        ["pulse", first],
        ["round", elected],
        ["pulse", elected],
        ["round", committee],
        ["round", retried],
        ["pulse", retried],
    ])
    const pulses = told.filter((each) => "kind" in each)
    const { entry, index } = pick(sample, "pulse", ({ round }) => round === first)
    const { Z } = beaconPulseOf(sample.states[index - 1]!, entry)
    const node = toHex(sample.node.signer.publicKey)
    expect(pulses[0]).toEqual({
        ...{ kind: "pulse", chain: toHex(sample.state.chain), round: first, node, hardware: false },
        ...{ Z: toHex(Z), missed: 0, index, verified: true },
    })
    expect(pulses[2]).toMatchObject({ Z: null, missed: 1 })
    expect(pulses.map(pulseWords)).toEqual([
        `round 1, pulse of node ${node.slice(0, 8)}, simulated: Z ${toHex(Z)}`,
        expect.stringMatching(/^round 2, pulse .*: Z [0-9a-f]{128}$/),
        `round 5, pulse of node ${node.slice(0, 8)}, simulated, 1 beacon passed over before: ` +
            "no Z: the node was not bound to its value before the ticket",
    ])
    expect(pulseWords({ ...pulses[0]!, hardware: true })).not.toContain("software")
})

test.each(["enough rounds", "Ctrl-C"])("what was verified is on disk when it ends after %s", async (why) => {
    const path = await mkdtemp(join(tmpdir(), "tallylight-watch-"))
    const stop = new AbortController()
    const follower = await Follower.start({
        server: { url: await served(sample), chain: toHex(sample.state.chain) },
        dir: { path, file: (name) => join(path, name), release: () => Promise.resolve() },
        log: makeLogger({ name: "observer", level: "silent" }),
        stop: stop.signal,
        proves: () => false,
    })
    const nothing = (): void => undefined
    await watch(follower, {
        ...{ from: 1, rounds: why === "Ctrl-C" ? Infinity : 1, onPulse: nothing, onNews: nothing },
        onRound: () => why === "Ctrl-C" && stop.abort(),
    })
    expect((await readdir(path)).toSorted()).toEqual(["chain", "checkpoint"])
    await rm(path, { recursive: true })
})

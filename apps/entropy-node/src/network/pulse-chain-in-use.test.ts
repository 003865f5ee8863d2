import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import type { EntropyNode } from "@tallylight/protocol/ledger/state.js"
import type { PulseTrail } from "@tallylight/protocol/pulse/trail.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { createPulses, openPulses } from "../pulses/pulses.ts"
import type { Pulses } from "../pulses/pulses.ts"
import { pulseSettings } from "../pulses/settings.ts"
import { TwinSigner, TwinValues } from "../pulses/twin-parts.ts"
import { isTorn, PulseChainInUse } from "./pulse-chain-in-use.ts"

const followed = new Uint8Array(32).fill(1)
const another = new Uint8Array(32).fill(2)

/** As the ledger shows it. */
function registered(pulseChain: number): EntropyNode {
    return {
        ...{ identity: new Uint8Array(32), pulseChain, hardware: false, sequence: 0, lastRound: 100 },
        ...{ modulus: new Uint8Array(512), certificateId: new Uint8Array(64), revoked: false },
        ...{ commitments: new Map(), nextCommitment: 1, signed: 0, trail: undefined },
    }
}

let folder: string
let opened: Pulses | undefined
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-chains-"))
    await createPulses(folder)
    await open()
})
afterEach(async () => {
    await opened?.close()
    opened = undefined
    await rm(folder, { recursive: true })
})

/** Chains of pulses for chains of beacons are numbered from there. */
async function open(chainIndex = 2): Promise<void> {
    await opened?.close()
    opened = undefined
    const settings = pulseSettings.parse({ periodic: { enabled: false }, rounds: { chainIndex } })
    const signer = await TwinSigner.of("first")
    const common = { folder, settings, signer, simulated: false }
    opened = await openPulses({ ...common, core: new TwinValues(), clock: new ManualClock() })
}

const inUse = (id = followed): PulseChainInUse => new PulseChainInUse(opened!, id)
const numberOf = async (chains: PulseChainInUse, node?: EntropyNode): Promise<number> =>
    (await chains.current(node)).chain

describe("the chain of pulses in use", () => {
    test("is one and the same for each chain of beacons, over restarts too", async () => {
        expect(await numberOf(inUse())).toBe(2)
        expect(await numberOf(inUse(another))).toBe(3)
        expect(await numberOf(inUse())).toBe(2)
        await open()
        expect(await numberOf(inUse(another))).toBe(3)
        expect(await numberOf(inUse())).toBe(2)
    })

    test.for([
        [1, 2],
        [2, 2],
        [3, 3],
        [5, 5],
    ] as const)("is where the ledger shows %i: %i", async ([shown, chain]) => {
        const chains = inUse()
        expect(await numberOf(chains, registered(shown))).toBe(chain)
        expect(await numberOf(chains, registered(shown))).toBe(chain)
    })

    test("is a new one once it was left, and that one from the next start on if the ledger shows it", async () => {
        const chains = inUse()
        await numberOf(chains)
        chains.leave()
        expect(await numberOf(chains, registered(2))).toBe(3)
        expect(await numberOf(chains, registered(2))).toBe(3)
        await open()
        expect(await numberOf(inUse(), registered(2))).toBe(2)
        expect(await numberOf(inUse(), registered(3))).toBe(3)
    })

    test("is asked for once, and stays until it is left", async () => {
        const chains = inUse()
        const chain = await chains.current(undefined)
        expect(await chains.current(registered(5))).toBe(chain)
        chains.leave()
        expect(await numberOf(chains, registered(5))).toBe(5)
    })

    test("has the names that files of pulses know it by, apart for each chain of beacons", async () => {
        const named = async (name: string): Promise<number> => (await opened!.follow(name)).chain
        for (const [id, first] of [
            [followed, 2],
            [another, 4],
        ] as const) {
            const chains = inUse(id)
            expect(await numberOf(chains)).toBe(first)
            chains.leave()
            expect(await numberOf(chains)).toBe(first + 1)
            expect(await named(toHex(id))).toBe(first)
            expect(await named(`${toHex(id)}/2`)).toBe(first + 1)
        }
    })

    test("is never one before what the ledger has seen, which would be refused", async () => {
        const before = inUse()
        expect(await numberOf(before)).toBe(2)
        before.leave()
        expect(await numberOf(before)).toBe(3)
        // The first one is below that now, and is replaced; the second is not.
        await open(3)
        const chains = inUse()
        expect(await numberOf(chains, registered(4))).toBe(4)
        chains.leave()
        expect(await numberOf(chains, registered(4))).toBe(5)
    })
})

describe("a chain of pulses", () => {
    const link = new Uint8Array(64)
    const trail: PulseTrail = {
        ...{ chainIndex: 2, pulseIndex: 1, timeStamp: 0, period: 0, statusCode: 0 },
        ...{ certificateId: link, precommitmentValue: link, output: link },
        firsts: { hour: link, day: link, month: link, year: link },
    }
    const signed = (ordinal: number): EntropyNode => ({ ...registered(2), signed: ordinal, trail })
    const elsewhere = { ...signed(5), pulseChain: 1 }
    const joined = { ...signed(5), trail: undefined }
    const signable = [3, 4, 5, 6].map((ordinal) => ({
        ...{ ordinal, round: ordinal, output: link, ticketIndex: 0 },
    }))

    test.for([
        ["of a node that has not registered", undefined, undefined, false],
        ["of which there is nothing on either side", joined, undefined, false],
        ["of a node that signed with another one", elsewhere, undefined, false],
        ["that is the same on both sides", signed(5), 5, false],
        ["that is the same on both sides, and was for long", signed(2), 2, false],
        ["whose last pulse was not logged", signed(5), 6, false],
        ["whose last pulse was not logged, and no longer can be", signed(1), 2, true],
        ["whose first pulse was not logged", joined, 6, false],
        ["whose first pulse was not logged, and no longer can be", joined, 2, true],
        ["whose first pulse was made before the node registered", undefined, 3, false],
        ["that is lost here", signed(5), undefined, true],
        ["whose last pulse is lost here", signed(5), 4, true],
    ] as const)("%s", ([, node, last, torn]) => {
        const made = last === undefined ? undefined : { slot: last, certificateId: link }
        expect(isTorn(2, made, node, { signable })).toBe(torn)
    })
})

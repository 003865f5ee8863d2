/** What happens where a machine's clock is wrong, jumps or stops: rounds go on, and whoever is off is told. */
import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import type { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { describe, expect, test } from "vitest"
import type { Actor } from "./actor.ts"
import { windowMs } from "./genesis.ts"
import { Network } from "./network.ts"

const minute = 60_000
const hour = 60 * minute

type Trouble = { readonly name: string; readonly happens: (clock: ManualClock) => Promise<void> | void }

const troubles: readonly Trouble[] = [
    { name: "jumps back an hour", happens: (clock) => clock.setTime(clock.now() - hour) },
    { name: "jumps ahead an hour", happens: (clock) => clock.setTime(clock.now() + hour) },
    { name: "stops", happens: (clock) => clock.stopWall() },
]

/** A round is open, and waits for the second of two parties, which is not there. */
async function inRound(seed: string): Promise<{ network: Network; round: OpenRound }> {
    const network = await Network.create({ seed, parties: 2, demand: { rounds: 3, intervalMs: 1000 } })
    await network.start(network.observer, ...network.parties)
    await network.until("registrations", () => network.state.parties.size === 2)
    network.parties[1]!.kill()
    await network.start(network.requester)
    await network.until("an answer", () => network.state.current?.phase === "open")
    await network.until("the first party's answer", () => open(network).answered.size === 1)
    return { network, round: open(network) }
}

function open({ state: { current } }: Network): OpenRound {
    if (current?.phase !== "open") throw new Error("no round is open")
    return current
}

const beacons = (network: Network, count: number): Promise<void> =>
    network.until(`${count} beacons`, () => network.requester.beacons.length === count)

describe.each(troubles)("the ledger server's clock $name in a round", ({ name, happens }) => {
    test("and the round goes on at its pace, for everybody who has not answered", async () => {
        const { network, round } = await inRound(`server ${name}`)
        await happens(network.clock)
        const left = round.closesAt - network.server.chain.now()
        await network.run(left - 1)
        expect(open(network).round).toBe(1)
        network.parties[1]!.start()
        await beacons(network, 3)
        const [tally] = await network.ofKind("tally")
        expect(tally).toMatchObject({ count: 2 })
        expect(await network.violations()).toEqual([])
    })

    test("and the window of whoever stays away ends, at most a ninth later", async () => {
        const { network, round } = await inRound(`server alone ${name}`)
        await happens(network.clock)
        const left = round.closesAt - network.server.chain.now()
        await network.run(Math.ceil(left / 0.9) + 1)
        const [tally] = await network.ofKind("tally")
        expect(tally).toMatchObject({ count: 1, time: round.closesAt })
        await beacons(network, 3)
        expect(await network.violations()).toEqual([])
    })

    test("and its operator is told, and by how much", async () => {
        const { network } = await inRound(`server told ${name}`)
        expect(network.skews).toEqual([])
        await happens(network.clock)
        await network.run(5000)
        expect(network.skews[0]).toMatchObject({ isOff: true })
        expect(network.skews.length).toBeLessThan(3)
        expect(Math.abs(network.server.chain.ledgerClockAheadMs)).toBeGreaterThan(1000)
    })
})

test("the ledger follows a server's clock that was set ahead when the round is over, and its followers say so", async () => {
    const { network } = await inRound("follows")
    const before = network.state.time
    await network.clock.setTime(network.clock.now() + hour)
    network.parties[1]!.start()
    // What was asked for an interval later is due at once.
    await beacons(network, 3)
    expect(network.state.time - before).toBeGreaterThanOrEqual(hour)
    expect(network.skews.at(-1)).toMatchObject({ isOff: false })
    expect(network.observer.skews).toEqual([
        { aheadMs: expect.any(Number) as number, moved: "ledger", isOff: true },
    ])
})

test("a server that was suspended for a night goes on with the round as if nothing had been", async () => {
    const { network, round } = await inRound("suspended")
    await network.clock.setTime(network.clock.now() + 8 * hour)
    await network.run(windowMs / 2)
    expect(open(network).closesAt).toBe(round.closesAt)
    network.parties[1]!.start()
    await beacons(network, 3)
    expect(await network.ofKind("extension")).toEqual([])
    expect(await network.violations()).toEqual([])
})

test("a server that starts again with a clock an hour behind goes on from its last entry", async () => {
    const { network } = await inRound("starts behind")
    network.killServer()
    await network.clock.setTime(network.clock.now() - hour)
    await network.startServer()
    expect(network.skews).toEqual([{ aheadMs: expect.any(Number) as number, isOff: true }])
    network.parties[1]!.start()
    await beacons(network, 3)
    expect(await network.violations()).toEqual([])
})

const roles: [string, (network: Network) => Actor][] = [
    ["party", ({ parties }) => parties[0]!],
    ["requester", ({ requester }) => requester],
]

describe.each(roles)("a %s", (role, actorOf) => {
    const demand = { rounds: 3, intervalMs: 1000 }

    test("with a right clock is told nothing", async () => {
        const network = await Network.create({ seed: `${role} right`, parties: 2, demand })
        await network.start()
        await beacons(network, 3)
        expect(actorOf(network).skews).toEqual([])
    })

    test.each([5 * minute, -5 * minute])(
        "whose clock is %i ms off is told so once, and takes part",
        async (ms) => {
            const network = await Network.create({ seed: `${role} ${ms}`, parties: 2, demand })
            const actor = actorOf(network)
            await actor.clock.setTime(actor.clock.now() + ms)
            await network.start()
            await beacons(network, 3)
            expect(actor.skews).toEqual([{ aheadMs: -ms, moved: "neither", isOff: true }])
            const requests = await network.ofKind("request")
            expect(requests.every(({ time, notBefore }) => notBefore <= time + 3 * demand.intervalMs)).toBe(
                true,
            )
            expect((await network.ofKind("contribution")).length).toBe(6)
            expect(await network.violations()).toEqual([])
        },
    )

    test.each(troubles)("whose clock $name is told so, and takes part", async ({ name, happens }) => {
        const network = await Network.create({ seed: `${role} ${name}`, parties: 2, demand })
        const actor = actorOf(network)
        await network.start()
        await beacons(network, 1)
        await happens(actor.clock)
        await beacons(network, 3)
        await network.run(minute)
        expect(actor.skews[0]).toMatchObject({ moved: "machine", isOff: true })
        expect(actor.skews.length).toBeLessThan(6)
        expect((await network.ofKind("request")).length).toBe(3)
        expect((await network.ofKind("contribution")).length).toBe(6)
        expect(await network.violations()).toEqual([])
    })
})

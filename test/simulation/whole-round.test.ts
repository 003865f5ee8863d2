import { equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { Party, TwoTickets } from "@tallylight/party/party.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import type { RequestType } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { describe, expect, test } from "vitest"
import { windowMs } from "./genesis.ts"
import { Network } from "./network.ts"
import type { Plan, Sent } from "./network.ts"

const noSeed = "00".repeat(64)

async function started(plan: Plan): Promise<Network> {
    const network = await Network.create(plan)
    await network.start()
    return network
}

/** Parties are registered, and nothing has been requested. */
async function registered(plan: Plan): Promise<Network> {
    const network = await Network.create(plan)
    await network.start(network.observer, ...network.parties)
    await network.until("registrations", () => network.state.parties.size === plan.parties)
    return network
}

const beacons = (network: Network, count: number): Promise<void> =>
    network.until(`${count} beacons`, () => network.requester.beacons.length === count)

async function kinds(network: Network): Promise<EntryKind[]> {
    return (await network.entries()).map(({ kind }) => kind)
}

/** What an actor asked of that type, as bytes that differ if anything in it does. */
function asked(sent: readonly Sent[], by: string, type: RequestType): string[] {
    return sent
        .filter((one) => one.by === by && one.frame.type === type)
        .map(({ frame }) =>
            JSON.stringify(frame.body, (_, value: unknown) =>
                value instanceof Uint8Array ? toHex(value) : value,
            ),
        )
}

function open(network: Network): OpenRound {
    const { current } = network.state
    if (current?.phase !== "open") throw new Error("no round is open")
    return current
}

describe("a round in which everybody answers", () => {
    test("elects everybody without a seed, closes at once, and gives all the same output", async () => {
        const network = await started({ seed: "everybody", parties: 3 })
        await beacons(network, 1)
        expect(await network.violations()).toEqual([])
        const [ticket] = await network.ofKind("ticket")
        const [tally] = await network.ofKind("tally")
        const [beacon] = await network.ofKind("beacon")
        expect(toHex(ticket!.seed)).toBe(noSeed)
        expect([ticket!.k, ticket!.n]).toEqual([3, 3])
        expect(tally).toMatchObject({ count: 3, time: ticket!.time })
        expect(network.requester.beacons).toEqual([beacon])
        expect(network.observer.state?.range).toEqual(network.state.range)
        expect(network.refused).toEqual([])
    })

    test("is followed by lotteries, each seeded by a beacon that nobody knew at its request", async () => {
        const network = await started({ seed: "lotteries", parties: 5, demand: { rounds: 8 } })
        await beacons(network, 8)
        expect(await network.violations()).toEqual([])
        const entries = await network.entries()
        const tickets = entries.filter((entry) => entry.kind === "ticket")
        for (const ticket of tickets) {
            // PROTOCOL.md §5.2: the output of the first round that got its ticket after the request.
            const first = tickets.find((other) => entries.indexOf(other) > ticket.request)!
            const end = entries.findIndex(
                (entry) => (entry.kind === "beacon" || entry.kind === "void") && entry.round === first.round,
            )
            const ending = first === ticket ? undefined : entries[end]
            const seed = ending?.kind === "beacon" ? toHex(ending.output) : noSeed
            expect(toHex(ticket.seed), `round ${ticket.round}`).toBe(seed)
        }
        const lotteries = tickets.filter(({ seed }) => toHex(seed) !== noSeed)
        expect(lotteries.length).toBeGreaterThan(4)
        expect(lotteries.map(({ n }) => n)).toEqual(lotteries.map(() => 5))
        const answers = await kinds(network)
        expect(answers).toContain("abstention")
        expect(answers.filter((kind) => kind === "contribution" || kind === "abstention")).toHaveLength(
            tickets.length * 5,
        )
    })

    test("takes place although the server's clock is set back in the middle", async () => {
        const network = await registered({ seed: "clock", parties: 2 })
        network.parties[1]!.kill()
        await network.start(network.requester)
        await network.until("one answer", () => network.state.current?.phase === "open")
        await network.clock.setTime(network.clock.now() - 3_600_000)
        network.parties[1]!.start()
        await beacons(network, 1)
        expect(await network.violations()).toEqual([])
    })
})

describe("a round in which somebody is missing", () => {
    test("waits for a party until the deadline, and ends without it", async () => {
        const network = await registered({ seed: "deadline", parties: 3 })
        network.parties[2]!.kill()
        await network.start(network.requester)
        await network.until("a ticket", () => network.state.current !== undefined)
        const { closesAt } = open(network)
        await network.run(windowMs - 1)
        expect(await network.ofKind("tally")).toEqual([])
        await beacons(network, 1)
        const [tally] = await network.ofKind("tally")
        expect(tally).toMatchObject({ count: 2, time: closesAt })
        const silent = network.parties[2]!.keys.signer.publicKey
        const contributions = await network.ofKind("contribution")
        expect(contributions.some(({ identity }) => equalBytes(identity, silent))).toBe(false)
        expect(await network.violations()).toEqual([])
    })

    test("without any contributor is void, and is tried once more with everybody elected", async () => {
        const network = await registered({ seed: "nobody", parties: 2 })
        for (const party of network.parties) party.kill()
        await network.start(network.requester)
        await network.until("the second attempt", () => network.state.rounds === 2)
        for (const party of network.parties) party.start()
        await beacons(network, 1)
        const [ended] = await network.ofKind("void")
        expect(ended).toMatchObject({ round: 1, reason: "no-contributor", missing: [] })
        const tickets = await network.ofKind("ticket")
        expect(tickets.map(({ request }) => request)).toEqual([tickets[0]!.request, tickets[0]!.request])
        expect(tickets[1]).toMatchObject({ round: 2, k: 2, n: 2 })
        expect(await network.violations()).toEqual([])
    })

    test("without any contributor twice is given up", async () => {
        const network = await registered({ seed: "nobody twice", parties: 2 })
        for (const party of network.parties) party.kill()
        await network.start(network.requester)
        await network.until("a third attempt", () => network.state.rounds === 2)
        network.requester.kill()
        await network.run(10 * windowMs)
        const tickets = await network.ofKind("ticket")
        const ended = await network.ofKind("void")
        const [first] = tickets
        expect(tickets.filter(({ request }) => request === first!.request)).toHaveLength(2)
        expect(ended.map(({ reason }) => reason)).toEqual(tickets.map(() => "no-contributor"))
        expect(network.state.current).toBeUndefined()
        expect(await network.violations()).toEqual([])
    })

    test("is void while the requester is gone, opened late when it returns, and then no seed", async () => {
        const network = await registered({ seed: "withheld", parties: 3 })
        network.requester.demand = { rounds: 2, intervalMs: 0 }
        network.parties[2]!.kill()
        await network.start(network.requester)
        // Both requests are logged, and the first round is open: whoever asks now asks before its beacon.
        await network.until("both requests", () => network.state.queue.length === 1)
        network.requester.kill()
        await network.until("the end of the round", () => network.state.withheld.size === 1)
        const [ended] = await network.ofKind("void")
        expect(ended).toMatchObject({ round: 1, reason: "withheld", missing: [1] })

        network.parties[2]!.start()
        network.requester.start()
        await network.until("the late output", () => network.state.withheld.size === 0)
        await network.until("the end of both", () => network.state.current === undefined)
        const outputs = new Map((await network.ofKind("beacon")).map((beacon) => [beacon.round, beacon]))
        expect([...outputs.keys()]).toEqual(expect.arrayContaining([1, 2]))
        expect(network.server.chain.rounds.get(1)?.status).toBe("late")
        expect(network.server.chain.rounds.get(2)?.status).toBe("beacon")

        const tickets = await network.ofKind("ticket")
        const late = toHex(outputs.get(1)!.output)
        expect(tickets.map(({ seed }) => toHex(seed))).not.toContain(late)
        expect(await network.violations()).toEqual([])
    })
})

describe("a requester that lies", () => {
    test("is convicted by its own signature, and gets no output", async () => {
        const network = await registered({ seed: "lies", parties: 2 })
        network.requester.lies = 1
        await network.start(network.requester)
        await beacons(network, 1)
        expect(await network.ofKind("share")).toMatchObject([
            { round: 1, valid: false, identity: network.requester.signer.publicKey },
            { round: 2, valid: true },
        ])
        expect(await network.ofKind("void")).toMatchObject([{ round: 1, reason: "wrong-share", missing: [] }])
        expect(await network.ofKind("beacon")).toMatchObject([{ round: 2 }])
        expect(network.state.withheld.size).toBe(0)
        expect(await network.violations()).toEqual([])
    })
})

describe("a ledger server that crashes", () => {
    const moments: EntryKind[] = [
        ...(["party-registration", "requester-registration", "request", "ticket"] as const),
        ...(["contribution", "abstention", "tally", "share", "beacon"] as const),
    ]
    const crashes = moments.flatMap((kind) =>
        (["keep", "lose"] as const).map((outcome) => [kind, outcome] as const),
    )

    test.each(crashes)(
        "while it appends a %s, which its disk %ss, goes on where its ledger ends",
        async (kind, outcome) => {
            // The third round is the first lottery, without which nobody abstains.
            const rounds = kind === "abstention" ? 3 : 1
            const network = await Network.create({
                ...{ seed: `crash ${kind}`, parties: 3, demand: { rounds } },
                parameters: { expectedContributors: 1 },
            })
            network.fault = { kind, outcome }
            await network.start()
            await network.until("the crash", () => network.crashes === 1)
            expect(network.isServing).toBe(false)
            const kept = (await network.entries()).length
            expect((await kinds(network)).includes(kind)).toBe(outcome === "keep")
            expect(await network.violations()).toEqual([])

            await network.startServer()
            await beacons(network, rounds)
            expect((await network.entries()).length).toBeGreaterThanOrEqual(kept)
            expect(await network.violations()).toEqual([])
            expect(network.crashes).toBe(1)
        },
    )

    test("prolongs the window that it slept through, so that nobody is silenced by its absence", async () => {
        const network = await registered({ seed: "downtime", parties: 2 })
        network.parties[1]!.kill()
        await network.start(network.requester)
        await network.until("a ticket", () => network.state.current !== undefined)
        network.killServer()
        await network.run(10 * windowMs)
        network.parties[1]!.start()
        await network.startServer()
        await beacons(network, 1)
        expect(await network.ofKind("extension")).toHaveLength(1)
        expect(await network.ofKind("tally")).toMatchObject([{ count: 2 }])
        expect(await network.violations()).toEqual([])
    })

    test("with a ledger that is not the one it signed does not start", async () => {
        const network = await registered({ seed: "edited", parties: 2 })
        const before = await network.backup()
        await network.start(network.requester)
        await beacons(network, 1)
        network.killServer()
        const { size, checkpoint } = await (await network.backup()).head()
        expect(size).toBeGreaterThan((await before.head()).size)
        const edited = await network.backup()
        const head = await edited.head()
        await edited.append(head, [new Uint8Array(3)], checkpoint)
        network.restore(edited)
        await expect(network.startServer()).rejects.toThrow("malformed-entry")
        const shortened = before.reopen()
        await shortened.append(await shortened.head(), [], checkpoint)
        network.restore(shortened)
        await expect(network.startServer()).rejects.toThrow("does not hash to its own signed checkpoint")
    })
})

describe("an answer", () => {
    test("is sent again with the same bytes by a party that died, to a server that lost it", async () => {
        const network = await Network.create({ seed: "resend", parties: 3 })
        network.fault = { kind: "contribution", outcome: "lose" }
        await network.start()
        await network.until("the crash", () => network.crashes === 1)
        const [party] = network.parties
        party!.restart()
        await network.startServer()
        await beacons(network, 1)
        const sent = asked(network.sent, "party 1", "ReqContribution")
        expect(sent.length).toBeGreaterThan(1)
        expect(new Set(sent).size).toBe(1)
        expect(await network.violations()).toEqual([])
    })

    test("gets the same receipt however often it comes, at once, later, and after a restart", async () => {
        const network = await started({ seed: "receipts", parties: 2 })
        await beacons(network, 1)
        const requests = network.sent.flatMap(({ by, frame }) =>
            by !== "somebody" && (frame.type === "ReqContribution" || frame.type === "ReqRegister")
                ? [frame]
                : [],
        )
        expect(requests.length).toBeGreaterThanOrEqual(5)
        for (const restart of [false, true]) {
            if (restart) {
                network.killServer()
                await network.startServer()
            }
            const { size } = network.state.range
            for (const { type, body } of requests) {
                const answers = await Promise.all([network.ask(type, body), network.ask(type, body)])
                const [one, two] = answers.map(({ receipt }) => receipt)
                expect(one).toEqual(two)
                expect(network.receipts).toContainEqual(one)
            }
            expect(network.state.range.size).toBe(size)
        }
    })

    test("and its twin, sent at the same time, get one entry and one receipt", async () => {
        const network = await registered({ seed: "twins", parties: 1 })
        const { size } = network.state.range
        const keys = { signer: seedSigner(new Uint8Array(32).fill(1)), vrfSeed: new Uint8Array(32).fill(2) }
        const body = { role: "party", ...makePartyRegistration(network.chain, keys, 0) } as const
        const answers = await Promise.all([1, 2, 3].map(() => network.ask("ReqRegister", body)))
        expect(answers.map(({ receipt }) => receipt)).toEqual([1, 2, 3].map(() => answers[0]!.receipt))
        expect(network.state.range.size).toBe(size + 1)
    })

    test("gets its receipt again while a later round is open", async () => {
        const network = await registered({ seed: "late twin", parties: 2, demand: { rounds: 2 } })
        network.parties[1]!.kill()
        await network.start(network.observer, network.parties[0]!, network.requester)
        await network.until("the second round", () => network.state.current?.round === 2)
        const [first] = network.sent.flatMap(({ frame }) =>
            frame.type === "ReqContribution" && frame.body.round === 1 ? [frame.body] : [],
        )
        expect(open(network).round).toBe(2)
        const { receipt } = await network.ask("ReqContribution", first!)
        expect(network.receipts).toContainEqual(receipt)
        const other = network.ask("ReqContribution", { ...first!, statement: new Uint8Array(1) })
        await expect(other).rejects.toMatchObject({ code: "wrong-ticket" })
    })

    test("is refused where the party has given another one", async () => {
        const network = await registered({ seed: "another", parties: 2 })
        network.parties[1]!.kill()
        await network.start(network.requester)
        await network.until("an answer", () => network.state.current?.phase === "open")
        const current = open(network)
        const { keys } = network.parties[0]!
        const twin = new Party(keys, new MemoryNotebook(), seededRandom("twin"))
        const answer = await twin.answer(network.state, current)
        if (answer?.kind !== "contribution") throw new Error("everybody is elected in the first round")
        const { kind: _, time: __, ...body } = answer
        const error = await network
            .ask("ReqContribution", { ...body, ticket: current.ticket })
            .catch((error: unknown) => error)
        expect(error).toBeInstanceOf(PeerRefused)
        expect(error).toMatchObject({ code: "already-contributed", action: "stop" })
    })
})

describe("a server that shows two histories", () => {
    /** The first round is open and answered; then the server comes back with a ledger from before its ticket. */
    async function restored(seed: string): Promise<Network> {
        const network = await registered({ seed, parties: 3 })
        network.parties[2]!.kill()
        const before = await network.backup()
        await network.start(network.requester)
        await network.until("two answers", () => open(network).answered.size === 2)
        expect(await network.violations()).toEqual([])
        network.requester.kill()
        network.requester.forgetLedger()
        network.killServer()
        network.restore(before)
        return network
    }

    test("is not followed by whoever remembers the longer one", async () => {
        const network = await restored("remembers")
        await network.startServer()
        await network.run(1000)
        const refusals = network.faults.map((fault) => fault instanceof PeerRefused && fault.code)
        expect(refusals).toEqual(["no-such-entry", "no-such-entry", "no-such-entry"])
    })

    test("gets no second answer to a round from a party that only remembers its first", async () => {
        const network = await restored("forgets")
        for (const actor of [network.observer, ...network.parties]) {
            actor.kill()
            actor.forgetLedger()
            actor.start()
        }
        await network.startServer()
        await network.start(network.requester)
        await network.until("another ticket", () => network.state.rounds === 1)
        await network.run(1000)
        expect(network.faults.map((fault) => fault instanceof TwoTickets)).toEqual([true, true])
        expect(open(network).answered.size).toBe(1)
        const [answer] = asked(network.sent, "party 1", "ReqContribution")
        expect(new Set(asked(network.sent, "party 1", "ReqContribution"))).toEqual(new Set([answer]))
    })
})

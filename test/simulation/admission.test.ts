/** A chain with a list: who is on it takes part, and nobody is surprised by rosters that were fixed before. */
import { makeAdmission } from "@tallylight/protocol/chain/admission.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import { expect, test } from "vitest"
import { Network } from "./network.ts"

const operator = seedSigner(new Uint8Array(32).fill(1))

/** Served and followed, with the first `admitted` of its parties on the list and registered. */
async function listed(seed: string, parties: number, admitted: number): Promise<Network> {
    const parameters = { admission: "listed", operatorKey: operator.publicKey } as const
    const network = await Network.create({ seed, parties, parameters })
    await network.startServer()
    for (let number = 0; number < admitted; number++) await decide(network, number, true)
    await network.start(network.observer, ...network.parties)
    await network.until("registrations", () => network.state.parties.size === admitted)
    return network
}

function identityOf(network: Network, number: number): Uint8Array {
    const party = network.parties[number]
    if (party === undefined) throw new Error(`there is no party ${number}`)
    return party.keys.signer.publicKey
}

async function decide(network: Network, number: number, admitted: boolean): Promise<void> {
    const sequence = network.state.admissionSequence + 1
    const fields = { identity: identityOf(network, number), admitted, sequence }
    await network.ask("ReqAdmission", makeAdmission(network.chain, operator, fields))
}

function open(network: Network): OpenRound {
    const { current } = network.state
    if (current?.phase !== "open") throw new Error("no round is open")
    return current
}

test("a party that is not on the list asks for nothing, and registers once it is", async () => {
    const network = await listed("waiting", 3, 2)
    await network.run(5000)
    expect(network.barred).toEqual(["party 3: not admitted"])
    const registrations = network.sent.filter(({ frame }) => frame.type === "ReqRegister")
    expect(registrations.map(({ by }) => by).toSorted()).toEqual(["party 1", "party 2"])

    await decide(network, 2, true)
    await network.until("its registration", () => network.state.parties.size === 3)
    expect(network.refused).toEqual([])
    expect(await network.violations()).toEqual([])
})

test("a party that is removed while it is elected is heard once more, and on no later roster", async () => {
    const network = await listed("removed", 3, 3)
    network.requester.demand = { rounds: 4, intervalMs: 1000 }
    const [, second] = network.parties
    second?.kill()
    await network.start(network.requester)
    await network.until("a ticket", () => network.state.current?.phase === "open")
    const name = nameOf(identityOf(network, 1))
    expect(open(network).roster.has(name)).toBe(true)

    await decide(network, 1, false)
    await network.start(...network.parties)
    await network.until("its answer", () => network.state.rounds > 1)
    expect(network.barred).toEqual(["party 2: removed"])
    const answers = await network.ofKind("contribution")
    expect(answers.map(({ identity }) => nameOf(identity))).toContain(name)

    await network.until("rounds requested later", () => network.requester.beacons.length === 4)
    const entries = await network.entries()
    const removal = entries.findLastIndex(({ kind }) => kind === "admission")
    const tickets = entries.filter((entry) => entry.kind === "ticket")
    const sizes = tickets.map(({ request, n }) => ({ before: request < removal, n }))
    expect(sizes).toContainEqual({ before: false, n: 2 })
    expect(sizes.map(({ before }) => (before ? 3 : 2))).toEqual(tickets.map(({ n }) => n))
    expect(network.refused).toEqual([])
    expect(await network.violations()).toEqual([])
})

test("a party that is removed and admitted again registers again, and waits meanwhile", async () => {
    const network = await listed("again", 2, 2)
    await decide(network, 0, false)
    await decide(network, 0, false)
    await network.run(5000)
    expect(network.barred).toEqual(["party 1: removed"])
    await decide(network, 0, true)
    const name = nameOf(identityOf(network, 0))
    await network.until("its registration", () => network.state.parties.get(name)?.sequence === 1)
    await decide(network, 0, false)
    await network.run(1000)
    expect(network.barred).toEqual(["party 1: removed", "party 1: removed"])
    expect(network.refused).toEqual([])
    expect(await network.violations()).toEqual([])
})

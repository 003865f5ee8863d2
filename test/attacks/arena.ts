/** A real ledger server in a process of its own, and the honest people who run rounds on it over real sockets. */
import assert from "node:assert/strict"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encodePoint } from "@tallylight/crypto/ristretto255.js"
import { scalarFromUniform } from "@tallylight/crypto/scalar.js"
import { commitPolynomial, evaluatePolynomial } from "@tallylight/crypto/threshold.js"
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { joinCommittee, makeRequesterRegistration } from "@tallylight/protocol/chain/requester.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { EntryOf, RecordedShare } from "@tallylight/protocol/ledger/entry.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, OpenRound, SealedRound } from "@tallylight/protocol/ledger/state.js"
import { makeAbstention } from "@tallylight/protocol/round/abstention.js"
import { drawPoint, makeContribution } from "@tallylight/protocol/round/contribution.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import type { Lot } from "@tallylight/protocol/round/eligibility.js"
import { makeRequest } from "@tallylight/protocol/round/request.js"
import { tallies } from "@tallylight/protocol/round/schedule.js"
import { openTally } from "@tallylight/protocol/round/share.js"
import type { SampleMember, SampleParty, SampleRequester } from "@tallylight/protocol/sample/sample-keys.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import type { Message, Receipt, RequestType } from "@tallylight/protocol/wire/messages.js"
import { Stage } from "../network/stage.ts"
import { nextLine } from "../processes/run.ts"
import type { Running } from "../processes/run.ts"
import { chainAt, Follower, Stranger } from "./client.ts"

export type Contribution = Omit<EntryOf<"contribution">, "kind" | "time">

export type Plan = {
    readonly parties?: number
    /** Key holders, of whom more than half open. */
    readonly members?: number
    /** Over the defaults of the configuration's `chain` and `limits`. */
    readonly chain?: object
    readonly limits?: object
}

export function newParty(): SampleParty {
    return { signer: seedSigner(systemRandom(32)), vrfSeed: systemRandom(32) }
}

export function newRequester(members = 1): SampleRequester {
    const signer = seedSigner(systemRandom(32))
    const threshold = Math.floor(members / 2) + 1
    const polynomial = Array.from({ length: threshold }, () => scalarFromUniform(systemRandom(64)))
    const seats = Array.from({ length: members }, (_, at) => ({
        index: at + 1,
        signer: members === 1 ? signer : seedSigner(systemRandom(32)),
        secret: evaluatePolynomial(polynomial, at + 1),
    }))
    return { signer, polynomial, members: seats }
}

/** What a member says when it is asked to open a tally; under its own name where it gives no other. */
export type Opens = (
    sealed: SealedRound,
    member: SampleMember,
) => Promise<RecordedShare & { readonly identity?: Uint8Array }>

export class Arena {
    readonly processes: Stage
    readonly server: Running
    readonly url: string
    readonly address: ChainAddress
    readonly parties: readonly SampleParty[]
    readonly requester: SampleRequester
    readonly ledger: Follower
    /** What the PDL said to each key holder about its answers in each round: a code, or “logged”. */
    readonly #verdicts = new Map<string, string[]>()
    readonly #judged = new Bell()
    /** Attacks put their own in here; `opensHonestly` is what belongs here. */
    opens: Opens = (sealed, member) => this.opensHonestly(sealed, member)
    readonly #stranger: Stranger
    readonly #seats: Follower[] = []
    #requests = -1

    static async open(plan: Plan = {}): Promise<Arena> {
        const processes = await Stage.make()
        try {
            const chain = { contributionWindowMs: 60_000, decryptionWindowMs: 60_000, ...plan.chain }
            // On a slow machine a client that is busy with proofs may say hello late.
            const config = JSON.stringify({ chain, limits: { helloMs: 120_000, ...plan.limits } })
            await writeFile(join(processes.folder, "pdl.jsonc"), config)
            const server = processes.start(
                ...["pdl", "--json", "--config", "pdl.jsonc", "--url", "http://127.0.0.1:0"],
            )
            const { url } = JSON.parse(await nextLine(server)) as { readonly url: string }
            const address = await chainAt(url)
            const ends = [await Follower.connect(address), await Stranger.dial(address)] as const
            const arena = new Arena(plan, processes, { server, url, address }, ...ends)
            await arena.#register()
            return arena
        } catch (error) {
            await processes.clear()
            throw error
        }
    }

    private constructor(
        { parties = 3, members = 1 }: Plan,
        processes: Stage,
        { server, url, address }: Pick<Arena, "server" | "url" | "address">,
        ledger: Follower,
        stranger: Stranger,
    ) {
        this.processes = processes
        this.server = server
        this.url = url
        this.address = address
        this.ledger = ledger
        this.#stranger = stranger
        this.parties = Array.from({ length: parties }, newParty)
        this.requester = newRequester(members)
    }

    async #register(): Promise<void> {
        for (const party of this.parties) await this.registerParty(party)
        await this.registerRequester(this.requester)
        for (const member of this.requester.members) await this.seat(member)
    }

    get chain(): Uint8Array {
        return this.address.id
    }

    get state(): ChainState {
        return this.ledger.state
    }

    /** A new connection, with a budget of failures of its own. */
    stranger(): Promise<Stranger> {
        return Stranger.dial(this.address)
    }

    /** What the server says to that message of somebody on a connection of their own. */
    async outcome<R extends RequestType>(type: R, body: Message<R>): Promise<string> {
        const stranger = await this.stranger()
        try {
            return await stranger.outcome(type, body)
        } finally {
            stranger.close()
        }
    }

    party(at: number): SampleParty {
        const party = this.parties[at]
        if (party === undefined) throw new Error(`the stage has no party ${at}`)
        return party
    }

    async registerParty(party: SampleParty, sequence = 0): Promise<void> {
        const registration = makePartyRegistration(this.chain, party, sequence)
        const { receipt } = await this.#stranger.ask("ReqRegister", { role: "party", ...registration })
        await this.logged(receipt.index)
    }

    async registerRequester(requester: SampleRequester, sequence = 0): Promise<void> {
        const registration = this.committeeOf(requester, sequence)
        const { receipt } = await this.#stranger.ask("ReqRegister", { role: "requester", ...registration })
        await this.logged(receipt.index)
    }

    /** Everybody's registration once more, so that it lives on. */
    async renew(): Promise<void> {
        const next = (known: { readonly sequence: number } | undefined): number => (known?.sequence ?? -1) + 1
        const { parties, requesters } = this.state
        for (const party of this.parties)
            await this.registerParty(party, next(parties.get(nameOf(party.signer.publicKey))))
        await this.registerRequester(
            this.requester,
            next(requesters.get(nameOf(this.requester.signer.publicKey))),
        )
    }

    /** Revokes the registration of a party that was here for one attack. */
    async retire({ signer }: SampleParty): Promise<void> {
        const known = this.state.parties.get(nameOf(signer.publicKey))
        const revocation = makeRevocation(this.chain, signer, (known?.sequence ?? 0) + 1)
        const { receipt } = await this.#stranger.ask("ReqRevoke", revocation)
        await this.logged(receipt.index)
    }

    committeeOf({ signer, polynomial, members }: SampleRequester, sequence = 0) {
        const plan = {
            ...{ identity: signer.publicKey, dealt: members.length > 1 },
            commitments: commitPolynomial(polynomial).map(encodePoint),
            identities: members.map((member) => member.signer.publicKey),
        }
        const joined = members.map((own) =>
            joinCommittee(this.chain, plan, { ...own, random: systemRandom(32) }),
        )
        return makeRequesterRegistration(this.chain, plan, sequence, signer, joined)
    }

    /** Until everybody's copy of the ledger has that entry. */
    async logged(index: number): Promise<void> {
        await this.ledger.until(`entry ${index}`, () => this.state.range.size > index)
    }

    /** The next request of the honest requester, ready to be sent. */
    nextRequest(fields: Partial<Parameters<typeof makeRequest>[2]> = {}) {
        this.#requests += 1
        const Y = commitPolynomial(this.requester.polynomial).map(encodePoint)[0] ?? new Uint8Array()
        const own = { Y, nonce: systemRandom(32), sequence: this.#requests, notBefore: 0, ...fields }
        return makeRequest(this.chain, this.requester.signer, own)
    }

    async request(fields: Partial<Parameters<typeof makeRequest>[2]> = {}): Promise<number> {
        const { receipt } = await this.#stranger.ask("ReqGenTick", this.nextRequest(fields))
        await this.logged(receipt.index)
        return receipt.index
    }

    /** A new round in which everybody is elected. */
    async openRound(): Promise<OpenRound> {
        const index = await this.request()
        return this.ticketFor(index)
    }

    /** Rounds after rounds, until one is open that is as wanted. */
    async openLotteryWhere(suits: (current: OpenRound) => boolean): Promise<OpenRound> {
        for (;;) {
            const current = await this.openLottery()
            if (suits(current)) return current
            await this.finish()
        }
    }

    /** A round with a seed, in which `expectedContributors` of the roster are elected on average. */
    async openLottery(): Promise<OpenRound> {
        await this.openRound()
        await this.request()
        const last = await this.request()
        await this.finish()
        await this.ledger.until("the round in between", () => this.state.current?.phase === "open")
        await this.finish()
        return this.ticketFor(last)
    }

    ticketFor(request: number): Promise<OpenRound> {
        return this.ledger.until(`the ticket of request ${request}`, () => {
            const { current } = this.state
            return current?.phase === "open" && current.request.index === request && current
        })
    }

    /** The party's honest contribution to that round, changed as `edit` says before it is signed. */
    contribution({ signer, vrfSeed }: SampleParty, current: OpenRound, lot?: Lot): Contribution {
        const own = { signer, lot: lot ?? drawLot(vrfSeed, current), statement: new Uint8Array() }
        const point = drawPoint(new Uint8Array(), systemRandom(64))
        return makeContribution(this.chain, current, { ...own, point }, systemRandom)
    }

    async contribute(party: SampleParty, current: OpenRound): Promise<Receipt> {
        const body = { ...this.contribution(party, current), ticket: current.ticket }
        const { receipt } = await this.#stranger.ask("ReqContribution", body)
        await this.logged(receipt.index)
        return receipt
    }

    async answer(party: SampleParty, current: OpenRound): Promise<Receipt> {
        const lot = drawLot(party.vrfSeed, current)
        if (lot.elected) return this.contribute(party, current)
        const abstention = makeAbstention(this.chain, current, party.signer, lot)
        const { receipt } = await this.#stranger.ask("ReqAbstention", {
            ...abstention,
            ticket: current.ticket,
        })
        await this.logged(receipt.index)
        return receipt
    }

    /** Everybody who has not answered does, and the round is sealed or void. */
    async answerAll(): Promise<number> {
        const { current } = this.state
        if (current?.phase !== "open") throw new Error("no round is open")
        for (const party of this.parties) {
            const name = nameOf(party.signer.publicKey)
            if (current.roster.has(name) && !current.answered.has(name)) await this.answer(party, current)
        }
        return current.round
    }

    /** The round in progress as everybody wants it: answered, sealed, opened; or void where nobody was elected. */
    async finish(): Promise<EntryOf<"beacon"> | EntryOf<"void">> {
        const { current } = this.state
        const round = current?.phase === "open" ? await this.answerAll() : current?.round
        if (round === undefined) throw new Error("no round is in progress")
        const end = await this.endOf(round)
        if (end.kind === "beacon" || current?.request.retry === true) return end
        if (end.reason !== "no-contributor" && end.reason !== "below-minimum") return end
        // Tried once more, with everybody elected.
        await this.ledger.until("the retry", () => this.state.current?.request.retry === true)
        return this.finish()
    }

    endOf(round: number): Promise<EntryOf<"beacon"> | EntryOf<"void">> {
        return this.ledger.until(`the end of round ${round}`, () =>
            this.ledger.entries.find(
                (entry): entry is EntryOf<"beacon"> | EntryOf<"void"> =>
                    (entry.kind === "beacon" || entry.kind === "void") && entry.round === round,
            ),
        )
    }

    opensHonestly(sealed: SealedRound, { index, signer, secret }: SampleMember): Promise<RecordedShare> {
        const own = { member: index, signer, secret, random: systemRandom(32) }
        return Promise.resolve(openTally(this.chain, sealed, own))
    }

    /** Connects a key holder, who answers as `opens` says. */
    async seat(member: SampleMember): Promise<Follower> {
        const given = new Map<number, string>()
        const seat = await Follower.connect(this.address, {
            role: "requester",
            signer: member.signer,
            handlers: {
                ReqDecryption: async (asked, _, id) => {
                    given.set(id, `${asked.round} ${member.index}`)
                    const sealed = await this.ledger.until(`tally ${asked.index}`, () =>
                        tallies(this.state).find(({ tallyIndex }) => tallyIndex === asked.index),
                    )
                    const share = await this.opens(sealed, member)
                    return { identity: member.signer.publicKey, ...share }
                },
            },
            onVerdict: (id, verdict) => {
                const key = given.get(id) ?? ""
                const said = "index" in verdict ? "logged" : verdict.code
                this.#verdicts.set(key, [...(this.#verdicts.get(key) ?? []), said])
                this.#judged.ring()
            },
        })
        this.#seats.push(seat)
        return seat
    }

    /** The PDL's word on the `nth` answer of that member in that round, from 0. */
    async verdict(round: number, member: number, nth = 0): Promise<string> {
        for (;;) {
            const verdict = this.#verdicts.get(`${round} ${member}`)?.[nth]
            if (verdict !== undefined) return verdict
            await this.#judged.heard()
        }
    }

    async isHealthy(): Promise<boolean> {
        const { status } = await fetch(`${this.url}/healthz`)
        return status === 200
    }

    /** Resident memory of the server's process, in bytes. */
    async memory(): Promise<number> {
        const status = await readFile(`/proc/${this.server.pid}/status`, "utf8")
        return 1024 * Number(/^VmRSS:\s+([0-9]+) kB$/m.exec(status)?.[1])
    }

    /** Rejects where the ledger that is left behind breaks a rule. */
    async close(): Promise<void> {
        const verified = await this.processes.run("observer", "verify", "--url", this.url)
        for (const seat of this.#seats) seat.close()
        this.#stranger.close()
        this.ledger.close()
        await this.processes.clear()
        assert.equal(verified.code, 0, verified.stdout + verified.stderr)
    }
}

/** A ledger server that lies to those who take part: a real party and a real requester, in processes of their own. */
import assert from "node:assert/strict"
import { cp, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { readKeyFile } from "@tallylight/node/key-files.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { makeReceipt } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { nextLine } from "../processes/run.ts"
import type { Running } from "../processes/run.ts"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"
import { Arena, newParty } from "./arena.ts"
import { chainAt, Follower, Stranger } from "./client.ts"
import { honest, Liar } from "./liar.ts"
import type { Tamper } from "./liar.ts"

const keyFolder = "data/pdl/chains/local/keys"
const partyData = "victim"

/** An honest network, and a lying server through which one more party and one more requester see it. */
class Theatre {
    readonly arena: Arena
    readonly liar: Liar
    #party: Running | undefined

    static async open(): Promise<Theatre> {
        const arena = await Arena.open({ chain: { decryptionWindowMs: 4000 } })
        for (const app of ["party", "requester"]) {
            const data = app === "party" ? partyData : app
            const made = await arena.processes.run(app, "init", "--data", data)
            assert.equal(made.code, 0, made.stderr)
        }
        return new Theatre(arena, await Liar.open(arena.url))
    }

    private constructor(arena: Arena, liar: Liar) {
        this.arena = arena
        this.liar = liar
    }

    key(name: "ledger" | "message"): Promise<Uint8Array> {
        return readKeyFile(join(this.arena.processes.folder, keyFolder, `${name}.key`), name)
    }

    startParty(): Running {
        return this.arena.processes.start("party", "--data", partyData, "--url", this.liar.url)
    }

    /** The party runs, on the roster, with an honest server: it answers a round like everybody else. */
    async partyServes(): Promise<void> {
        const { arena, liar } = this
        liar.tamper = honest
        liar.upstream = arena.url
        this.#party = this.startParty()
        const own = new Set(arena.parties.map(({ signer }) => nameOf(signer.publicKey)))
        const isHere = () => arena.state.parties.size > own.size
        await arena.ledger.until("the party's registration", isHere)
        if (arena.state.current !== undefined) await arena.finish()
        await arena.openRound()
        assert.equal((await arena.finish()).kind, "beacon")
    }

    /** A round with this server; the party must end, and says why. */
    async partyStops(tamper: Tamper): Promise<string> {
        this.liar.tamper = tamper
        if (this.#party === undefined) throw new Error("no party runs")
        await this.arena.openRound()
        return this.reason(this.#party)
    }

    async reason(running: Running): Promise<string> {
        const { code, stderr } = await running.ended
        assert.equal(code, 1, stderr)
        return stderr
    }

    async stopParty(): Promise<void> {
        this.#party?.kill("SIGTERM")
        await this.#party?.ended
    }

    /** Its connection is cut, and whoever it connects to next shows it the ledger of `url`. */
    async partySwitches(url: string): Promise<string> {
        if (this.#party === undefined) throw new Error("no party runs")
        this.liar.upstream = url
        this.liar.hangUp()
        return this.reason(this.#party)
    }

    /** It starts again, perhaps without its memory of the ledger. */
    async partyRestarts(url: string, lost: readonly string[] = []): Promise<string> {
        const forget = async (): Promise<void> => {
            for (const name of lost)
                await rm(join(this.arena.processes.folder, partyData, name), { force: true })
        }
        await this.stopParty()
        await forget()
        this.liar.upstream = url
        const reason = await this.reason(this.startParty())
        await forget()
        return reason
    }

    startRequester(): Running {
        return this.arena.processes.start(
            ...["requester", "--data", "requester", "--url", this.liar.url, "--rounds", "1"],
        )
    }

    /** The round that the requester asks for is answered by everybody, and ready to be opened. */
    async requesterRound(): Promise<number> {
        const { arena } = this
        await arena.ledger.until("its round", () => arena.state.current?.phase === "open")
        return arena.answerAll()
    }

    /** It opens its round, and ends. */
    async requesterServes(): Promise<void> {
        this.liar.tamper = honest
        const running = this.startRequester()
        const end = await this.arena.endOf(await this.requesterRound())
        assert.equal(end.kind, "beacon")
        assert.equal((await running.ended).code, 0)
    }

    async close(): Promise<void> {
        this.liar.close()
        await this.arena.close()
    }
}

type Asked = Message<"ReqDecryption">

/** What the requester answers to a question that its server changed; the round ends without its share. */
function question(
    name: string,
    stoppedBy: string,
    change: (asked: Asked, theatre: Theatre, ledgerSeed: Uint8Array) => Partial<Asked>,
): Attack<Theatre> {
    return {
        ...{ name, stoppedBy },
        honest: (theatre) => theatre.requesterServes(),
        attack: async (theatre) => {
            const ledgerSeed = await theatre.key("ledger")
            const answer = new Promise<string>((resolve) => {
                theatre.liar.tamper = (frame, direction) => {
                    if (direction === "up" && frame.type === "RespError") resolve(frame.body.code)
                    if (direction === "up" && frame.type === "RespDecryption") resolve("accepted")
                    if (frame.type !== "ReqDecryption") return [frame]
                    return [{ ...frame, body: { ...frame.body, ...change(frame.body, theatre, ledgerSeed) } }]
                }
            })
            const running = theatre.startRequester()
            const round = await theatre.requesterRound()
            const code = await answer
            running.kill("SIGKILL")
            await running.ended
            assert.equal((await theatre.arena.endOf(round)).kind, "void")
            return code
        },
    }
}

/** The party ends, and its last words have this code or these words in them. */
function partyEnds(
    name: string,
    stoppedBy: string,
    make: (theatre: Theatre, seeds: { ledger: Uint8Array; message: Uint8Array }) => Tamper,
): Attack<Theatre> {
    return {
        ...{ name, stoppedBy },
        honest: (theatre) => theatre.partyServes(),
        attack: async (theatre) => {
            const seeds = { ledger: await theatre.key("ledger"), message: await theatre.key("message") }
            const stderr = await theatre.partyStops(make(theatre, seeds))
            return stderr.includes(stoppedBy) ? stoppedBy : stderr
        },
    }
}

/** Changes every Event that brings something. */
function events(change: (event: Message<"Event">) => Partial<Message<"Event">>): Tamper {
    return (frame) => {
        if (frame.type !== "Event" || frame.body.entries.length === 0) return [frame]
        return [{ ...frame, body: { ...frame.body, ...change(frame.body) } }]
    }
}

function lastBitOfTime(entry: Uint8Array): Uint8Array {
    return entry.map((byte, at) => (at === 8 ? byte ^ 1 : byte))
}

/** A share of the answers of that type goes back changed. */
function answers(change: (frame: Frame & { type: "RespContribution" }) => Frame): Tamper {
    return (frame) => (frame.type === "RespContribution" ? [change(frame)] : [frame])
}

const requesterAttacks: readonly Attack<Theatre>[] = [
    question("a single contribution to be opened in place of the sum", "no-tally", (_, { arena }) => {
        const { current } = arena.state
        const [first] = current?.contributions ?? []
        if (first === undefined) throw new Error("the others contributed")
        return { C: first.C, D: first.D }
    }),
    question(
        "a tally to be opened in a tree that another key signed",
        "bad-checkpoint",
        ({ index }, { arena }) => {
            const { range, genesis } = arena.state
            const tree = { origin: genesis.origin, size: index + 1, root: rangeRoot(range) }
            return { checkpoint: signCheckpoint(tree, new Uint8Array(32)) }
        },
    ),
    question("a tally to be opened in another history", "forked", ({ index }, { arena }, ledgerSeed) => {
        const { genesis } = arena.state
        const tree = { origin: genesis.origin, size: index + 1, root: new Uint8Array(32) }
        return { checkpoint: signCheckpoint(tree, ledgerSeed) }
    }),
]

const partyAttacks: readonly Attack<Theatre>[] = [
    partyEnds("an entry that is not the one in the signed log", "wrong-root", () =>
        events(({ entries }) => ({
            entries: entries.map(({ index, entry }) => ({ index, entry: lastBitOfTime(entry) })),
        })),
    ),
    partyEnds("an entry left out", "missing-entries", () =>
        events(({ entries }) => ({
            entries: entries.map(({ index, entry }) => ({ index: index + 1, entry })),
        })),
    ),
    partyEnds("entries under a checkpoint of another key", "bad-checkpoint", ({ arena }) =>
        events(({ size }) => {
            const tree = { origin: arena.state.genesis.origin, size, root: new Uint8Array(32) }
            return { checkpoint: signCheckpoint(tree, new Uint8Array(32)) }
        }),
    ),
    partyEnds("entries under a root that is not theirs", "wrong-root", ({ arena }, { ledger }) =>
        events(({ size }) => {
            const tree = { origin: arena.state.genesis.origin, size, root: new Uint8Array(32) }
            return { checkpoint: signCheckpoint(tree, ledger) }
        }),
    ),
    partyEnds("a receipt for something else", "is not for the contribution", ({ arena }, { message }) =>
        answers((frame) => {
            const receipt = makeReceipt(arena.chain, seedSigner(message), 0, arena.state.genesis)
            return { ...frame, body: { receipt } }
        }),
    ),
    partyEnds("a receipt that is not signed", "bad-signature", () =>
        answers((frame) => {
            const receipt = { ...frame.body.receipt, signature: new Uint8Array(64) }
            return { ...frame, body: { receipt } }
        }),
    ),
]

/** Two servers with the keys of one, from a copy of its data: one history on each. */
async function fork(theatre: Theatre): Promise<{ url: string; checkpoint: string; running: Running }> {
    const { arena } = theatre
    const { processes } = arena
    await cp(join(processes.folder, "data/pdl"), join(processes.folder, "fork"), { recursive: true })
    for (const lock of ["lock", "lock.pid"]) await rm(join(processes.folder, "fork", lock), { force: true })
    const running = processes.start("pdl", "--json", "--data", "fork", "--url", "http://127.0.0.1:0")
    const { url } = JSON.parse(await nextLine(running)) as { readonly url: string }

    // The one history: the party answers the ticket that it is shown.
    const current = await arena.openRound()
    const own = new Set(arena.parties.map(({ signer }) => nameOf(signer.publicKey)))
    await arena.ledger.until("the party's answer", () => {
        const open = arena.state.current
        return open?.phase === "open" && [...open.answered].some((name) => !own.has(name))
    })
    const checkpoint = await (await fetch(`${arena.address.http}/log/checkpoint`)).text()

    // The other one: more entries, and another ticket under the same number.
    const address = await chainAt(url)
    const stranger = await Stranger.dial(address)
    for (let at = 0; at < 8; at += 1) {
        const registration = makePartyRegistration(arena.chain, newParty(), 0)
        await stranger.ask("ReqRegister", { role: "party", ...registration })
    }
    await stranger.ask("ReqGenTick", arena.nextRequest())
    stranger.close()
    const ledger = await Follower.connect(address)
    const { round, ticket } = await ledger.until("the other ticket", () => {
        const open = ledger.state.current
        return open?.phase === "open" && open
    })
    ledger.close()
    assert.equal(round, current.round)
    assert.notDeepEqual(ticket, current.ticket)
    return { url, checkpoint, running }
}

/** What a party does that was shown one ticket and is shown another. */
function twoTickets(
    name: string,
    stoppedBy: string,
    then: (theatre: Theatre, fork: { url: string; checkpoint: string }) => Promise<string>,
): Attack<Theatre> {
    return {
        ...{ name, stoppedBy },
        honest: (theatre) => theatre.partyServes(),
        attack: async (theatre) => {
            const forked = await fork(theatre)
            const said = await then(theatre, forked)
            forked.running.kill("SIGKILL")
            await forked.running.ended
            await rm(join(theatre.arena.processes.folder, "fork"), { recursive: true, force: true })
            return said.includes(stoppedBy) ? stoppedBy : said
        },
    }
}

export const followers = group("followers", "followers.ts", () => Theatre.open(), [
    ...requesterAttacks,
    ...partyAttacks,
    twoTickets(
        "two tickets for one round, the second on a new connection",
        "signed two histories of one ledger",
        (theatre, { url }) => theatre.partySwitches(url),
    ),
    twoTickets(
        "two tickets for one round, the second after a restart",
        "signed two histories of one ledger",
        (theatre, { url }) => theatre.partyRestarts(url),
    ),
    twoTickets(
        "two tickets for one round, the second to a party that lost its notes of the ledger",
        "has another ticket than the one that was answered",
        (theatre, { url }) => theatre.partyRestarts(url, ["checkpoint", "party-1/receipts.jsonl"]),
    ),
    twoTickets(
        "two tickets for one round, to two parties that compare checkpoints",
        "forked",
        async (theatre, { url, checkpoint }) => {
            await theatre.stopParty()
            const { processes } = theatre.arena
            await writeFile(join(processes.folder, "pin"), checkpoint)
            const verified = await processes.run("observer", "verify", "--url", url, "--pin", "pin", "--json")
            assert.equal(verified.code, 1)
            return verified.stdout
        },
    ),
    {
        name: "a receipt that a later checkpoint contradicts",
        stoppedBy: "evidence",
        honest: (theatre) => theatre.partyServes(),
        attack: async (theatre) => {
            const { arena } = theatre
            const message = seedSigner(await theatre.key("message"))
            // The answer is kept from the ledger, and acknowledged for the place that another one then gets.
            const stderr = await theatre.partyStops((frame, direction, reply) => {
                if (direction === "down" || frame.type !== "ReqContribution") return [frame]
                const { ticket: _, ...fields } = frame.body
                const { range, time, current } = arena.state
                const entry = { ...fields, kind: "contribution" as const, time }
                const receipt = makeReceipt(arena.chain, message, range.size, entry)
                reply({ ...frame, type: "RespContribution", body: { receipt } })
                if (current?.phase === "open") void arena.contribute(arena.party(0), current)
                return []
            })
            const files = await readdir(join(arena.processes.folder, partyData))
            assert.match(stderr, /signed a receipt for entry/)
            return files.some((file) => file.startsWith("evidence-")) ? "evidence" : stderr
        },
    },
])

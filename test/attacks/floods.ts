/** Whoever sends what must be refused, as fast as it is read. */
import { setTimeout as sleep } from "node:timers/promises"
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import { drawPoint, makeContribution, signContribution } from "@tallylight/protocol/round/contribution.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { newParty } from "./arena.ts"
import { Stranger } from "./client.ts"
import type { Follower } from "./client.ts"

/** Sends the same kind of message until the connection is closed, and says with which code. */
export async function untilClosed(
    address: ChainAddress,
    send: (stranger: Stranger) => Promise<unknown>,
): Promise<string> {
    const stranger = await Stranger.dial(address)
    for (let open = true; open;) {
        const burst = Array.from({ length: 32 }, () => send(stranger).catch(() => undefined))
        const closed = stranger.peer.closed.then(() => false)
        open = await Promise.race([closed, Promise.all(burst).then(() => sleep(0, true))])
    }
    const { code } = await stranger.peer.closed
    return String(code)
}

/** Refused at a glance, and counted against its sender. */
export async function askForNothing(stranger: Stranger): Promise<void> {
    await stranger.ask("ReqProof", { index: 1, size: 1 })
}

/** A party of the roster, all of whose proofs hold but the last one that is looked at. */
export class Forger {
    readonly #ledger: Follower
    readonly #party = newParty()
    readonly #stranger: Stranger
    /** For the round that was open when it was last asked for. */
    #forged: Message<"ReqContribution"> | undefined

    /** Resolves when a round is open with it on the roster. */
    static async join(address: ChainAddress, ledger: Follower): Promise<Forger> {
        const forger = new Forger(ledger, await Stranger.dial(address))
        const registration = makePartyRegistration(address.id, forger.#party, 0)
        await forger.#stranger.ask("ReqRegister", { role: "party", ...registration })
        await ledger.until("a round with the attacker in it", () => forger.#open())
        return forger
    }

    private constructor(ledger: Follower, stranger: Stranger) {
        this.#ledger = ledger
        this.#stranger = stranger
    }

    async send(sender: Stranger): Promise<void> {
        await sender.ask("ReqContribution", this.#forgery())
    }

    async leave(): Promise<void> {
        const { chain } = this.#ledger.state
        await this.#stranger.ask("ReqRevoke", makeRevocation(chain, this.#party.signer, 1))
        this.#stranger.close()
    }

    #open(): OpenRound | undefined {
        const { current } = this.#ledger.state
        const isOnRoster = current?.roster.has(nameOf(this.#party.signer.publicKey))
        return current?.phase === "open" && isOnRoster === true ? current : undefined
    }

    #forgery(): Message<"ReqContribution"> {
        const current = this.#open()
        if (current !== undefined && current.round !== this.#forged?.round) {
            const { chain } = this.#ledger.state
            const { signer, vrfSeed } = this.#party
            const lot = drawLot(vrfSeed, current)
            const point = drawPoint(new Uint8Array(), systemRandom(64))
            const own = { signer, lot, point, statement: new Uint8Array() }
            const made = makeContribution(chain, current, own, systemRandom)
            const pi = made.pi.with(40, (made.pi[40] ?? 0) ^ 1)
            const signed = signContribution(chain, current, signer, { ...made, pi })
            this.#forged = { ...signed, ticket: current.ticket }
        }
        if (this.#forged === undefined) throw new Error("no round was open with the forger on its roster")
        return this.#forged
    }
}

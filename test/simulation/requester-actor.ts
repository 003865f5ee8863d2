import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { sealedRound } from "@tallylight/protocol/round/phase.js"
import { openTally } from "@tallylight/protocol/round/share.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { Commission } from "@tallylight/requester/commission.js"
import type { Demand } from "@tallylight/requester/commission.js"
import type { RequesterKeys } from "@tallylight/requester/keys.js"
import { Requester } from "@tallylight/requester/requester.js"
import { Actor, requestTimeoutMs } from "./actor.ts"
import type { Links } from "./actor.ts"
import type { Life } from "./life.ts"
import type { Network } from "./network.ts"

export class RequesterActor extends Actor {
    readonly signer: RequesterKeys["signer"]
    readonly notebook = new MemoryNotebook()
    demand: Demand
    /** How many shares it will sign whose proofs do not hold. */
    lies = 0
    readonly opened: number[] = []
    readonly beacons: EntryOf<"beacon">[] = []
    readonly #keys: RequesterKeys

    constructor(network: Network, name: string, keys: RequesterKeys, demand: Demand) {
        super(network, name, () => network.proves)
        this.signer = keys.signer
        this.demand = demand
        this.#keys = keys
    }

    protected override links(life: Life): Links {
        const { network } = this
        const requester = new Requester(this.#keys, life.notebook(this.notebook), network.random)
        const commission = new Commission(requester, this.demand, this.clock, life.receipts, {
            ...this.events(life),
            onRegistered: (receipt) => this.keep(life, receipt),
            onRequested: (receipt) => this.keep(life, receipt),
            onOpened: (round) => this.opened.push(round),
            onBeacon: (beacon) => this.beacons.push(beacon),
            onRefused: (what, { code }) => network.refused.push(`${this.name}, ${what}: ${code}`),
        })
        return {
            role: "requester",
            signer: this.signer,
            handlers: {
                ReqDecryption: async (asked) => {
                    const honest = await commission.open(asked, requestTimeoutMs)
                    return this.lies > 0 ? this.#wrong(honest, asked.round, life.replica.state) : honest
                },
            },
            onOpen: (session) => commission.attach(session),
            onSteps: (steps) => commission.take(steps),
            onVerdict: (_, verdict) => {
                if (!("index" in verdict)) {
                    network.refused.push(`${this.name}, share: ${verdict.code}`)
                    return
                }
                this.keep(life, verdict)
                commission.keep(verdict)
            },
        }
    }

    #wrong(
        honest: Message<"RespDecryption">,
        round: number,
        state: ChainState | undefined,
    ): Message<"RespDecryption"> {
        this.lies -= 1
        if (state === undefined) throw new Error("nothing is sealed")
        const { signer, secret } = this.#keys
        // The same lie each time that it is asked: a liar keeps to what it said as well.
        const own = { member: honest.member, signer, secret: secret + 1n, random: honest.c }
        return { ...honest, ...openTally(state.chain, sealedRound(state, round), own) }
    }
}

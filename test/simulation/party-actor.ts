import { Lottery } from "@tallylight/party/lottery.js"
import { Party } from "@tallylight/party/party.js"
import type { PartyKeys } from "@tallylight/party/party.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import { Actor } from "./actor.ts"
import type { Links } from "./actor.ts"
import type { Life } from "./life.ts"
import type { Network } from "./network.ts"

export class PartyActor extends Actor {
    readonly keys: PartyKeys
    readonly notebook = new MemoryNotebook()

    constructor(network: Network, name: string, keys: PartyKeys) {
        super(network, name, ({ kind }) => kind === "genesis" || kind === "ticket")
        this.keys = keys
    }

    protected override links(life: Life): Links {
        const { network } = this
        const events = this.events(life)
        const party = new Party(this.keys, life.notebook(this.notebook), network.random)
        let lottery: Lottery | undefined
        const lotteryOf = (session: Session, state: ChainState): Lottery =>
            new Lottery([party], session, state, this.clock, life.receipts, {
                ...events,
                onRegistered: (_, receipt) => this.keep(life, receipt),
                onBarred: (_, bar) => network.barred.push(`${this.name}: ${bar}`),
                onAnswered: (_, __, ___, receipt) => this.keep(life, receipt),
                onRefused: (_, what, { code }) => network.refused.push(`${this.name}, ${what}: ${code}`),
            })
        return {
            role: "party",
            onOpen: (session) => {
                lottery = life.replica.state && lotteryOf(session, life.replica.state)
                lottery?.act()
            },
            onSteps: (steps: readonly Step[], session) => {
                const [first] = steps
                if (first === undefined) return
                lottery ??= lotteryOf(session, first.after)
                lottery.take(steps)
            },
        }
    }
}

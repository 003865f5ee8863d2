/** Everybody who follows the ledger of a chain, each behind a cursor of its own. */
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import { closeCodes } from "@tallylight/protocol/ports/channel.js"
import type { Head, LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import type { Commit } from "../ledger/writer.ts"
import { Subscription } from "./subscription.ts"

type Options = {
    readonly store: LedgerStore
    readonly head: () => Head
    /** The signed checkpoint of the ledger's first entries, as many as `size`. */
    readonly checkpointAt: (size: number) => Promise<string>
    /** Gives everybody else a turn. */
    readonly breathe: () => Promise<void>
}

export class Followers {
    readonly #options: Options
    readonly #subscriptions = new Set<Subscription>()

    constructor(options: Options) {
        this.#options = options
    }

    get count(): number {
        return this.#subscriptions.size
    }

    /** How many entries the slowest of them is behind. */
    get lag(): number {
        const { size } = this.#options.head()
        return [...this.#subscriptions].reduce((most, { cursor }) => Math.max(most, size - cursor), 0)
    }

    subscribe(peer: Peer, from: number, kinds: ReadonlySet<EntryKind> | undefined): Subscription {
        const { store, head, checkpointAt, breathe } = this.#options
        const subscription = new Subscription(peer, store, head(), from, kinds, checkpointAt)
        this.#subscriptions.add(subscription)
        // A send that fails means that the connection is closed or being closed, which ends the subscription.
        void breatheFirst(breathe, () => subscription.run()).catch(() => {
            peer.close(closeCodes.goingAway, "subscription ended")
        })
        return subscription
    }

    unsubscribe(subscription: Subscription): void {
        subscription.end()
        this.#subscriptions.delete(subscription)
    }

    /** After every commit. */
    publish(commit: Commit): void {
        for (const subscription of this.#subscriptions) subscription.publish(commit)
    }

    end(): void {
        for (const subscription of this.#subscriptions) subscription.end()
    }
}

/** The answer to ReqSubscribe goes out before the first event. */
async function breatheFirst(breathe: () => Promise<void>, run: () => Promise<void>): Promise<void> {
    await breathe()
    await run()
}

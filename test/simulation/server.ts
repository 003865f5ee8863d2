import { Chain } from "@tallylight/pdl/chain/chain.js"
import type { ChainOptions } from "@tallylight/pdl/chain/options.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import type { Line, LineOptions } from "@tallylight/protocol/ports/channel-pair.js"
import type { Disk } from "./disk.ts"

type Options = Omit<ChainOptions, "onFault" | "store"> & { readonly store: Disk }

/** One life of the ledger server. */
export class Server {
    readonly chain: Chain
    readonly #disk: Disk
    readonly #lines = new Set<Line>()
    readonly #stop = new AbortController()
    #dead = false

    static async start(options: Options, onCrash: (error: unknown) => void): Promise<Server> {
        const held: { server?: Server } = {}
        const chain = await Chain.open({
            ...options,
            onFault: (error) => {
                if (held.server?.alive === false) return
                held.server?.kill()
                onCrash(error)
            },
        })
        held.server = new Server(chain, options.store)
        return held.server
    }

    private constructor(chain: Chain, disk: Disk) {
        this.chain = chain
        this.#disk = disk
        void chain.run(this.#stop.signal)
    }

    get alive(): boolean {
        return !this.#dead
    }

    dial(options: LineOptions): [Channel, Line] {
        const [near, far, line] = channelPair(options)
        this.#lines.add(line)
        void this.chain.serve(far).then(() => this.#lines.delete(line))
        return [near, line]
    }

    /** As kill -9 does: nobody is told anything more. */
    kill(): void {
        this.#dead = true
        this.#disk.die()
        for (const line of this.#lines) line.cut()
        this.#stop.abort()
    }
}

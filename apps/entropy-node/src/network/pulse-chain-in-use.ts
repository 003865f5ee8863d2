/**
 * Of a node's pulse chains for one chain of beacons, the one that is in use. A ledger takes only the pulse that goes on
 * from the last one that it has: where pulses got lost, on either side, the next chain of pulses begins.
 */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { ChainState, EntropyNode } from "@tallylight/protocol/ledger/state.js"
import type { MadePulse } from "../pulses/pulse-maker.ts"
import type { BeaconPulses, Pulses } from "../pulses/pulses.ts"

export class PulseChainInUse {
    readonly #pulses: Pick<Pulses, "follow">
    /** The chain of beacons; 32 bytes. */
    readonly #followed: Uint8Array
    /** Counts the pulse chains for it, from 1. */
    #generation = 1
    #current: BeaconPulses | undefined

    constructor(pulses: Pick<Pulses, "follow">, followed: Uint8Array) {
        this.#pulses = pulses
        this.#followed = followed
    }

    /** The pulse chain that the ledger knows the node by, or the next one after all that it has seen. */
    async current(node: EntropyNode | undefined): Promise<BeaconPulses> {
        if (this.#current !== undefined) return this.#current
        let chain = await this.#follow()
        while (node !== undefined && chain.chain < node.pulseChain) {
            this.#generation += 1
            chain = await this.#follow()
        }
        return (this.#current = chain)
    }

    /** It cannot go on. */
    leave(): void {
        this.#generation += 1
        this.#current = undefined
    }

    #follow(): Promise<BeaconPulses> {
        return this.#pulses.follow(generationName(this.#followed, this.#generation))
    }
}

/** Whether what the ledger has of that chain of pulses is not what is here: they got lost on one of the two sides. */
export function isTorn(
    chain: number,
    made: MadePulse | undefined,
    node: EntropyNode | undefined,
    { signable }: Pick<ChainState, "signable">,
): boolean {
    const last = made?.slot
    const shown = node?.pulseChain === chain && node.trail !== undefined ? node.signed : undefined
    if (last === shown) return false
    // Made, and not logged: it can still be, as long as nothing that is owed comes before it.
    return last === undefined || last < (shown ?? 0) || !signable.some(({ ordinal }) => ordinal === last)
}

/** What the pulses' store knows a pulse chain by. */
function generationName(followed: Uint8Array, generation: number): string {
    return generation === 1 ? toHex(followed) : `${toHex(followed)}/${generation}`
}

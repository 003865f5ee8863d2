/**
 * Makes the pulses of one chain, one after the other. Each step is durable before the next begins, in an order in which
 * a crash leaves nothing to be decided twice:
 *
 * 1. the local random values of this pulse and of the next one are kept;
 * 2. the message, which carries the first and the hash of the second, is kept as the chain's draft;
 * 3. the draft is signed, the same bytes however often it takes (RSASSA-PKCS1-v1_5 then gives the same signature), and
 *    whatever certificate its key has meanwhile;
 * 4. the draft becomes a pulse, in one transaction, and only then does anybody see it.
 */
import { verify } from "node:crypto"
import type { KeyObject } from "node:crypto"

import { equalBytes, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import {
    encodePulseMessage,
    noValue,
    precommitmentOf,
    pulseOutput,
    statusBits,
} from "@tallylight/protocol/pulse/pulse.js"
import type { LinkName, Pulse, PulseMessage } from "@tallylight/protocol/pulse/pulse.js"
import { isGap, opensPrecommitment, requireLinks } from "@tallylight/protocol/pulse/trail.js"

import type { Core, LocalValue } from "../core/core.ts"
import { NotReady } from "../core/node-core.ts"
import type { PulseSigner } from "../hsm/pulse-signer.ts"
import { certifies, signerKey } from "./certificate.ts"
import { readTip } from "./chain-tip.ts"
import type { ChainTip } from "./chain-tip.ts"
import type { PublishedPulse } from "./pulse-reader.ts"
import type { Draft } from "./pulse-row.ts"
import type { PulseStore } from "./pulse-store.ts"

/** What a pulse needs is not to be had now: healthy sources, or the holder of the key. To be tried again. */
export class PulseDelayed extends Error {
    override readonly name = "PulseDelayed"
}

/** Where a pulse's `external` comes from. */
export type External = {
    /** Says what the value is of, for people; a pulse carries its SHA-512. */
    readonly source: string
    readonly statusCode: number
    /** 64 bytes. */
    readonly value: Uint8Array
}

export type PulseRequest = {
    /** Of a chain without a period, where it is not after the last pulse's, the millisecond after that. */
    readonly time: UnixMs
    /** The beacon's ordinal; in a periodic chain, whose slots are the indices of its pulses, left out. */
    readonly slot?: number
    readonly external?: External | undefined
}

/** What a registration says of the pulses to come. */
export type PulsePlan = {
    readonly certificateId: Uint8Array
    /** Whether the key, and whatever has part in their values, is. */
    readonly hardware: boolean
}

export type MadePulse = { readonly slot: number; readonly certificateId: Uint8Array }

export type PulseChain = {
    readonly store: PulseStore
    readonly chain: number
    /** Milliseconds; 0 for a chain that has a pulse for each beacon. */
    readonly period: number
    /** Without a slash at its end. */
    readonly baseUrl: string
    readonly signer: PulseSigner
    /** Whether a source of the values that are drawn now is simulated. */
    readonly simulated: boolean
    readonly certificates: {
        readonly hardware: Uint8Array
        /** Named as long as such a source has part in a value that is still to be opened. */
        readonly simulated: Uint8Array
    }
    readonly core: Pick<Core, "localValue">
}

export class PulseMaker {
    readonly #chain: PulseChain
    readonly #key: KeyObject
    #lastStep: Promise<unknown> = Promise.resolve()

    constructor(chain: PulseChain) {
        this.#chain = chain
        this.#key = signerKey(chain.signer)
    }

    /**
     * The chain's next pulse; or that of the slot, where it has one; or, in a periodic chain, the last one, where the
     * time is within a period of that. Rejects with {@link PulseDelayed} where trying again may help.
     */
    make(request: PulseRequest): Promise<PublishedPulse> {
        return this.#inTurn(async () => {
            await this.#finish()
            const tip = await this.tip()
            return (await this.#made(request, tip)) ?? this.#sign(await this.#draft(request, tip))
        })
    }

    /** undefined where the chain has no pulse yet. */
    tip(): Promise<ChainTip | undefined> {
        return readTip(this.#chain.store.published, this.#chain.chain)
    }

    /** Of the last pulse that there is, or that was begun and is going to be: not where its key is gone. */
    async lastMade(): Promise<MadePulse | undefined> {
        const { store, chain } = this.#chain
        const draft = await store.draft(chain)
        if (draft !== undefined && (await this.#canSign(draft)))
            return { slot: draft.slot, certificateId: draft.message.certificateId }
        const last = await store.published.last(chain)
        return last && { slot: last.slot, certificateId: last.pulse.certificateId }
    }

    async plan(): Promise<PulsePlan> {
        const { store, chain, signer, simulated, certificates } = this.#chain
        const isSimulated = simulated || (await store.chainsWithSimulated()).includes(chain)
        return {
            certificateId: isSimulated ? certificates.simulated : certificates.hardware,
            hardware: !signer.simulated && !isSimulated,
        }
    }

    /** Whether a later slot has its pulse, and this one has none. */
    isPassed(slot: number): Promise<boolean> {
        return this.#inTurn(async () => {
            const { store, chain } = this.#chain
            const last = (await this.tip())?.slot ?? -1
            return slot <= last && (await store.published.bySlot(chain, slot)) === undefined
        })
    }

    /** What the pulses of `count` slots from `first` on will open. Kept for good before it is told. */
    commitments(first: number, count: number): Promise<readonly Uint8Array[]> {
        return this.#inTurn(async () => {
            const passed = (await this.tip())?.slot ?? -1
            const commitment = async (slot: number): Promise<Uint8Array> => {
                const known = await this.#chain.store.localValue(this.#chain.chain, slot)
                if (known === undefined && slot <= passed)
                    throw new RangeError(`the pulse of slot ${slot} was never committed to, and is passed`)
                return precommitmentOf((known ?? (await this.#drawn(slot))).value)
            }
            // All at once: a slow source gives several together in the time that it takes for one. And all to their
            // end, or one would be kept while the next turn draws it again.
            const made = Array.from({ length: count }, (_, at) => commitment(first + at))
            await Promise.allSettled(made)
            return Promise.all(made)
        })
    }

    async #made(
        { slot, time, external }: PulseRequest,
        tip: ChainTip | undefined,
    ): Promise<PublishedPulse | undefined> {
        const { store, chain, period } = this.#chain
        if (tip === undefined) return undefined
        // A draft may have become the last one just now, later than the period that it was begun in.
        if (slot === undefined)
            return time < tip.trail.timeStamp + period ? store.published.last(chain) : undefined
        if (slot > tip.slot) return undefined
        const made = await store.published.bySlot(chain, slot)
        if (made === undefined) throw new RangeError(`slot ${slot} was passed without a pulse`)
        if (!equalBytes(made.pulse.external.value, external?.value ?? noValue))
            throw new Error(`the pulse of slot ${slot} is of another output: what it signs has two histories`)
        return made
    }

    async #finish(): Promise<void> {
        const { store, chain } = this.#chain
        const draft = await store.draft(chain)
        if (draft === undefined) return
        if (await this.#canSign(draft)) await this.#sign(draft)
        // Its key is gone, and nobody saw it: whatever is published was first made a pulse.
        else await store.dropDraft(chain)
    }

    /** By the key and not by the certificate: what a key may have signed, it signs as no other message. */
    async #canSign({ message }: Draft): Promise<boolean> {
        const der = await this.#chain.store.published.certificate(message.certificateId)
        return der !== undefined && certifies({ der }, this.#chain.signer)
    }

    async #draft(request: PulseRequest, tip: ChainTip | undefined): Promise<Draft> {
        const { store, chain, period, signer } = this.#chain
        const pulseIndex = tip === undefined ? 1 : tip.trail.pulseIndex + 1
        const slot = request.slot ?? pulseIndex
        const local = await this.#localValue(slot)
        const next = await this.#localValue(slot + 1)
        const { certificateId } = await this.plan()
        const { external } = request
        const message = {
            uri: this.#uri(pulseIndex),
            version: "2.0",
            cipherSuite: 0,
            period,
            certificateId,
            chainIndex: chain,
            pulseIndex,
            timeStamp: timeAfter(tip, request.time, period),
            localRandomValue: local.value,
            external: {
                sourceId: external === undefined ? noValue : sha512(utf8(external.source)),
                statusCode: external?.statusCode ?? 0,
                value: external?.value ?? noValue,
            },
            links: requireLinks(tip?.trail),
            precommitmentValue: precommitmentOf(next.value),
            statusCode: 0,
        }
        const draft = {
            message: { ...message, statusCode: statusOf(message, tip, slot) },
            linkUris: this.#linkUris(tip),
            simulated: signer.simulated || local.simulated,
            slot,
        }
        await store.keepDraft(draft, external?.source ?? "")
        return draft
    }

    /** Where this node serves the pulses now, those too that were made when it was elsewhere. */
    #uri(index: number): string {
        return `${this.#chain.baseUrl}/beacon/2.0/chain/${this.#chain.chain}/pulse/${index}`
    }

    #linkUris(tip: ChainTip | undefined): Pulse["linkUris"] {
        const uri = (name: LinkName): string | undefined => tip && this.#uri(tip.linked[name])
        return {
            previous: uri("previous"),
            hour: uri("hour"),
            day: uri("day"),
            month: uri("month"),
            year: uri("year"),
        }
    }

    async #sign(draft: Draft): Promise<PublishedPulse> {
        const message = encodePulseMessage(draft.message)
        const signature = await this.#chain.signer.sign(message).catch((error: unknown) => {
            throw new PulseDelayed("the pulse cannot be signed", { cause: error })
        })
        // A faulty signature of an RSA key can give the key away, besides being none.
        if (!verify("sha512", message, this.#key, signature))
            throw new PulseDelayed("the signature does not fit the key")
        return this.#chain.store.publish(draft, signature, pulseOutput(message, signature))
    }

    async #localValue(slot: number): Promise<LocalValue> {
        const { store, chain } = this.#chain
        return (await store.localValue(chain, slot)) ?? this.#drawn(slot)
    }

    async #drawn(slot: number): Promise<LocalValue> {
        const { store, chain, core } = this.#chain
        const drawn = await core.localValue().catch((error: unknown) => {
            if (!(error instanceof NotReady)) throw error
            throw new PulseDelayed("there is no local random value for the pulse", { cause: error })
        })
        await store.keepLocalValue(chain, slot, drawn)
        return drawn
    }

    #inTurn<Result>(step: () => Promise<Result>): Promise<Result> {
        const done = this.#lastStep.then(step)
        this.#lastStep = done.catch(() => undefined)
        return done
    }
}

function timeAfter(tip: ChainTip | undefined, time: UnixMs, period: number): UnixMs {
    if (tip === undefined) return time
    // Where the clock was set back, a beacon is owed its pulse all the same.
    return Math.max(time, tip.trail.timeStamp + Math.max(period, 1))
}

/** Whatever of the status follows from the pulse before. */
function statusOf(message: PulseMessage, tip: ChainTip | undefined, slot: number): number {
    // The first pulse opens nothing; and by the schema's own text this code is the start of a chain.
    if (tip === undefined) return statusBits.lostPrecommitment
    const { trail } = tip
    const missed = isGap(trail, message) ?? slot > tip.slot + 1
    const isLost = opensPrecommitment(trail, message.localRandomValue) === false
    const isOtherKey = !equalBytes(trail.certificateId, message.certificateId)
    return (
        (isLost ? statusBits.lostPrecommitment : 0) |
        (missed ? statusBits.gap : 0) |
        (isOtherKey ? statusBits.certificateChanged : 0)
    )
}

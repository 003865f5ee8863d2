/** The sample ledger's entropy node: it signs with a key that everybody knows, and draws its values from a seed. */
import { utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { signRsaSha512 } from "@tallylight/crypto/rsa-sign.js"
import { makeNodeRegistration, pulseKeyPossession } from "../chain/entropy-node.ts"
import { seedSigner } from "../chain/signer.ts"
import type { Signer } from "../chain/signer.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, EntropyNode, SignableBeacon } from "../ledger/state.ts"
import type { Random } from "../ports/clock.ts"
import { seededRandom } from "../ports/seeded-random.ts"
import { encodePulseMessage, precommitmentOf, statusBits } from "../pulse/pulse.ts"
import type { PulseMessage } from "../pulse/pulse.ts"
import { requireLinks } from "../pulse/trail.ts"
import { beaconPulse, externalSourceId } from "../round/beacon-pulse.ts"
import { makeCommitment } from "../round/commitment.ts"
import { samplePulseKey } from "./sample-pulse-key.ts"

type Sent<K extends "node-registration" | "commitment" | "pulse"> = Omit<EntryOf<K>, "kind" | "time">

export class SampleNode {
    readonly signer: Signer
    readonly certificateId = sha512(utf8("a certificate that nobody made"))
    readonly pulseChain = 2
    readonly #random: Random
    readonly #values = new Map<number, Uint8Array>()

    constructor(seed: string) {
        this.#random = seededRandom(`${seed}, entropy node`)
        this.signer = seedSigner(this.#random(32))
    }

    registration(chain: Uint8Array, sequence: number): Sent<"node-registration"> {
        const plan = {
            ...{ identity: this.signer.publicKey, sequence, pulseChain: this.pulseChain, hardware: false },
            ...{ modulus: samplePulseKey.modulus, certificateId: this.certificateId },
        }
        const proof = signRsaSha512(samplePulseKey, pulseKeyPossession(chain, plan))
        return makeNodeRegistration(chain, this.signer, plan, proof)
    }

    /** 64 bytes: the value that the pulse of that beacon opens. */
    value(ordinal: number): Uint8Array {
        const value = this.#values.get(ordinal) ?? this.#random(64)
        this.#values.set(ordinal, value)
        return value
    }

    commitment(chain: Uint8Array, first: number, count: number): Sent<"commitment"> {
        const values = Array.from({ length: count }, (_, at) => precommitmentOf(this.value(first + at)))
        return makeCommitment(chain, this.signer, first, values)
    }

    /** What it owes for that beacon, with changes where it lies. */
    pulse(
        state: ChainState,
        beacon: SignableBeacon,
        time: number,
        lie: Partial<PulseMessage> = {},
    ): Sent<"pulse"> {
        const node = state.nodes.get(nameOf(this.signer.publicKey))
        if (node === undefined) throw new Error("the sample's entropy node is not registered")
        const message = encodePulseMessage({ ...this.#message(state, node, beacon, time), ...lie })
        const proof = signRsaSha512(samplePulseKey, message)
        return { identity: this.signer.publicKey, round: beacon.round, message, proof }
    }

    #message(
        { chain }: ChainState,
        { trail, signed }: EntropyNode,
        { ordinal, output }: SignableBeacon,
        time: number,
    ): PulseMessage {
        const { pulseChain: chainIndex, certificateId } = this
        const pulseIndex = (trail?.pulseIndex ?? 0) + 1
        const passedOver = trail !== undefined && ordinal !== signed + 1
        return {
            ...beaconPulse,
            uri: `https://node.example/beacon/2.0/chain/${chainIndex}/pulse/${pulseIndex}`,
            ...{ certificateId, chainIndex, pulseIndex, timeStamp: time },
            localRandomValue: this.value(ordinal),
            external: { sourceId: externalSourceId(chain), statusCode: 0, value: output },
            links: requireLinks(trail),
            precommitmentValue: precommitmentOf(this.value(ordinal + 1)),
            statusCode: passedOver ? statusBits.gap | statusBits.lostPrecommitment : 0,
        }
    }
}

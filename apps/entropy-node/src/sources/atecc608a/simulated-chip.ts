/**
 * An ATECC608A in software on an I2C bus of its own, which speaks the bytes and keeps the times of a real one: it sleeps,
 * idles, works and is watched by its watchdog. Nothing of it is hardware: its random bytes are the caller's.
 */
import { concatBytes, utf8 } from "@tallylight/crypto/bytes.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import type { Clock, Random } from "@tallylight/protocol/ports/clock.js"
import { BusError } from "./bus.ts"
import type { I2cBus } from "./bus.ts"
import { makeZone } from "./configuration-zone.ts"
import type { LockState } from "./configuration-zone.ts"
import { wordAddress } from "./packet.ts"
import { execute, status } from "./simulated-answers.ts"
import type { Memory, Work } from "./simulated-answers.ts"

const wakeMs = 1.5
const watchdogMs = 1300

/** As an ATECC608A answers Info. */
const revision608a = Uint8Array.of(0x00, 0x00, 0x60, 0x02)

export type SimulatedChipOptions = {
    /** Its serial number is made of it. */
    readonly name: string
    readonly address: number
    readonly clock: Clock
    readonly random: Random
    /** Both zones are locked where nothing is said. */
    readonly locks?: LockState
    readonly revision?: Uint8Array
}

/** Asleep and idle are the same to the bus. While it works it is awake, with an answer that is not ready. */
type State =
    | { readonly phase: "asleep" | "idle" }
    | {
          readonly phase: "awake"
          readonly since: number
          readonly readyAt: number
          readonly answer: Uint8Array
      }

export class SimulatedChip implements I2cBus {
    readonly #address: number
    readonly #clock: Clock
    readonly #memory: Memory
    #state: State = { phase: "asleep" }
    /** How much of the answer has been read. */
    #position = 0
    #upset: Work | undefined

    constructor(options: SimulatedChipOptions) {
        const {
            name,
            address,
            revision = revision608a,
            locks = { configLocked: true, dataLocked: true },
        } = options
        this.#address = address
        this.#clock = options.clock
        this.#memory = {
            zone: makeZone(serialNumber(name), revision, address, locks),
            random: options.random,
        }
    }

    get phase(): State["phase"] {
        return this.#now().phase
    }

    /** The supply drops for a moment. */
    brownOut(): void {
        this.#state = { phase: "asleep" }
    }

    /** The next command is not executed: its answer is that status, or none until the watchdog ends the wait. */
    upset(next: number | "hangs"): void {
        this.#upset = next === "hangs" ? { ...status(0xff), ms: Number.POSITIVE_INFINITY } : status(next)
    }

    write(address: number, bytes: Uint8Array): Promise<void> {
        const state = this.#now()
        if (address === 0) return this.#pulse(state)
        if (!this.#listens(address, state)) return nack()
        this.#position = 0
        const [word, ...packet] = bytes
        if (word === wordAddress.sleep) this.#state = { phase: "asleep" }
        if (word === wordAddress.idle) this.#state = { phase: "idle" }
        if (word === wordAddress.command) {
            const { answer, ms } = this.#upset ?? execute(Uint8Array.from(packet), this.#memory)
            this.#upset = undefined
            this.#state = { ...state, readyAt: this.#clock.elapsed() + ms, answer }
        }
        return Promise.resolve()
    }

    read(address: number, length: number): Promise<Uint8Array> {
        const state = this.#now()
        if (!this.#listens(address, state)) return nack()
        const bytes = new Uint8Array(length).fill(0xff)
        bytes.set(state.answer.subarray(this.#position, this.#position + length))
        this.#position += length
        return Promise.resolve(bytes)
    }

    close(): Promise<void> {
        return Promise.resolve()
    }

    /** Also while it works the watchdog puts it to sleep, and the answer is lost. */
    #now(): State {
        const state = this.#state
        if (state.phase === "awake" && this.#clock.elapsed() - state.since >= watchdogMs) this.brownOut()
        return this.#state
    }

    #listens(address: number, state: State): state is State & { phase: "awake" } {
        return address === this.#address && state.phase === "awake" && this.#clock.elapsed() >= state.readyAt
    }

    #pulse(state: State): Promise<never> {
        if (state.phase !== "awake") {
            const since = this.#clock.elapsed()
            this.#state = { phase: "awake", since, readyAt: since + wakeMs, answer: status(0x11).answer }
            this.#position = 0
        }
        return nack()
    }
}

function nack(): Promise<never> {
    return Promise.reject(new BusError("nack", "nobody acknowledges on the simulated bus"))
}

/** 01 23, “SIM”, three bytes of the name's hash, EE: real ones begin and end likewise. */
function serialNumber(name: string): Uint8Array {
    const ending = Uint8Array.of(0xee)
    return concatBytes(Uint8Array.of(0x01, 0x23), utf8("SIM"), sha256(utf8(name)).subarray(0, 3), ending)
}

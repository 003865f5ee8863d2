/**
 * An ATECC608A on an I2C bus: waking it, commands and their answers, its watchdog, and what to do when something of
 * that goes wrong. It answers nothing while it sleeps, idles or works, so waiting and losing it look the same at first.
 */
import { concatBytes, equalBytes } from "@tallylight/crypto/bytes.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { SourceCondemned } from "../source.ts"
import { BusError, isNack } from "./bus.ts"
import type { I2cBus } from "./bus.ts"
import { ChipFailure } from "./chip-failure.ts"
import type { KnownCommand } from "./commands.ts"
import { makeCommand, PacketError, parseResponse, parseStatus, wordAddress } from "./packet.ts"
import { StatusError } from "./status.ts"

/** From the wake pulse to its answer (tWHI), as CryptoAuthLib waits. */
const wakeMs = 1.5
const firstPollMs = 1
const pollMs = 2

/**
 * The watchdog puts the chip to sleep 1.3 s after it woke, by an oscillator of its own that may be fast; and nothing may
 * be under way then. Half of it leaves room for that and for a machine that is late.
 */
const awakeMs = 650

/** Between one attempt and the next; the last outlasts a watchdog that is slow, so that the chip cannot be but asleep. */
const pausesMs = [0, 10, 100, 1700] as const

/** The chip keeps its answer, so reading again repairs what only the way back has damaged. */
const rereads = 2

export class Device {
    readonly #bus: I2cBus
    readonly #address: number
    readonly #clock: Clock
    /** By the clock's `elapsed`; undefined while it is not known to be awake. */
    #awakeUntil: number | undefined
    #lastAnswer = new Uint8Array(0)

    constructor(bus: I2cBus, address: number, clock: Clock) {
        this.#bus = bus
        this.#address = address
        this.#clock = clock
    }

    /**
     * The data of the answer. Rejects with a {@link StatusError} where the chip refuses, {@link SourceCondemned} where it
     * finds itself at fault, a {@link ChipFailure} where it cannot be made to answer, and the signal's reason. No two
     * commands in a row may rightly have the same answer.
     */
    async execute(command: KnownCommand, signal: AbortSignal): Promise<Uint8Array> {
        const attempts: Error[] = []
        for (;;) {
            signal.throwIfAborted()
            try {
                return await this.#attempt(command, signal)
            } catch (error) {
                if (isVerdict(error)) throw condemned(error)
                if (!isPassing(error)) throw error
                attempts.push(error)
            }
            const pause = pausesMs[attempts.length - 1]
            if (pause === undefined) {
                // What it says on waking is no old answer any more: it has slept in between.
                const told = attempts.at(-1)?.cause
                throw isVerdict(told) ? condemned(told) : new ChipFailure(command, attempts)
            }
            await this.#leave(wordAddress.sleep)
            await this.#clock.sleep(pause, signal)
        }
    }

    /** Stops the watchdog, and keeps the state of the random generator, which sleep loses. */
    async idle(): Promise<void> {
        await this.#leave(wordAddress.idle)
    }

    /** Whatever it does now: one that idles hears of sleep only when it is woken. */
    async shutDown(): Promise<void> {
        await allowingForTheBus(() => this.#pulse())
        await this.#clock.sleep(wakeMs)
        await this.#leave(wordAddress.sleep)
    }

    /** If nobody hears it, it sleeps already, or works until its watchdog ends that; waking it will tell. */
    async #leave(state: number): Promise<void> {
        this.#awakeUntil = undefined
        await allowingForTheBus(() => this.#bus.write(this.#address, Uint8Array.of(state)))
    }

    async #attempt(command: KnownCommand, signal: AbortSignal): Promise<Uint8Array> {
        await this.#beAwake(command.maxMs + pollMs, signal)
        await this.#bus.write(
            this.#address,
            concatBytes(Uint8Array.of(wordAddress.command), makeCommand(command)),
        )
        const answer = await this.#answer(command, signal)
        if (equalBytes(answer, this.#lastAnswer)) {
            throw new PacketError("stale", "the chip answers what it has answered before")
        }
        this.#lastAnswer = answer.slice()
        return answer
    }

    async #beAwake(ms: number, signal: AbortSignal): Promise<void> {
        if (this.#awakeUntil !== undefined) {
            if (this.#clock.elapsed() + ms <= this.#awakeUntil) return
            await this.idle()
        }
        const awakeUntil = this.#clock.elapsed() + awakeMs
        await this.#pulse()
        await this.#clock.sleep(wakeMs, signal)
        const status = new StatusError(parseStatus(await this.#bus.read(this.#address, 4)))
        // Also from a chip that was awake, took no notice of the pulse, and still has its last answer.
        if (status.code !== "after-wake")
            throw new PacketError("stale", `not woken: ${status.message}`, { cause: status })
        this.#awakeUntil = awakeUntil
    }

    /** Holds SDA low for eight clocks, 80 µs at 100 kHz, where 60 wake the chip; 400 kHz would be too fast. */
    async #pulse(): Promise<void> {
        try {
            await this.#bus.write(0x00, Uint8Array.of(0x00))
        } catch (error) {
            // Address 0 is everybody's, and usually nobody acknowledges it.
            if (!isNack(error)) throw error
        }
    }

    async #answer(command: KnownCommand, signal: AbortSignal): Promise<Uint8Array> {
        const due = this.#clock.elapsed() + command.maxMs
        await this.#clock.sleep(firstPollMs, signal)
        for (let read = 1; ; read += 1) {
            const bytes = await this.#poll(command, due, signal)
            try {
                return parseResponse(bytes)
            } catch (error) {
                if (!(error instanceof PacketError) || read > rereads) throw error
            }
            await this.#bus.write(this.#address, Uint8Array.of(wordAddress.reset))
        }
    }

    async #poll(command: KnownCommand, due: number, signal: AbortSignal): Promise<Uint8Array> {
        for (;;) {
            // Looked at before reading: on a machine that is late there is still one read after the time is over.
            const isLast = this.#clock.elapsed() >= due
            try {
                return await this.#bus.read(this.#address, command.answers + 3)
            } catch (error) {
                if (!isNack(error)) throw error
                if (isLast)
                    throw new BusError("nack", `no answer within ${command.maxMs} ms`, { cause: error })
            }
            await this.#clock.sleep(pollMs, signal)
        }
    }
}

async function allowingForTheBus(work: () => Promise<void>): Promise<void> {
    try {
        await work()
    } catch (error) {
        if (!(error instanceof BusError)) throw error
    }
}

function isVerdict(error: unknown): error is StatusError {
    return error instanceof StatusError && error.condemning
}

function condemned(verdict: StatusError): SourceCondemned {
    return new SourceCondemned(`${verdict.message}: it finds its own generator at fault`, { cause: verdict })
}

function isPassing(error: unknown): error is Error {
    if (error instanceof StatusError) return error.passing
    return error instanceof BusError || error instanceof PacketError
}

/** A source for tests: its bytes come from a seed, and it fails when it is told to. */
import { createCipheriv, createHash, type Cipher } from "node:crypto"
import { UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Source, SourceDriver, SourceKind } from "../sources/source.ts"

export class ScriptedSource implements SourceDriver {
    readonly kind: SourceKind
    readonly simulated: boolean
    /** Whether it can be opened, and read. */
    plugged = true
    /** What it says instead of giving bytes. */
    refusal: Error | undefined
    /** Called before each read is answered. */
    onRead: () => void = () => undefined
    /** Before it has closed, this resolves. */
    closing: Promise<void> = Promise.resolve()
    /** What every byte is from now on. */
    stuckAt: number | undefined
    /** How many bytes it gives at a time, and how long that takes by the clock. */
    pace: { bytes: number; ms: number; clock: Clock } | undefined
    /** How often it was opened, and how many of those times it was not closed again. */
    opened = 0
    held = 0
    /** All that it ever gave. */
    readonly given: Uint8Array[] = []
    readonly #stream: Cipher
    readonly #next: Uint8Array[] = []

    constructor(
        seed: string,
        { kind = "character-device", simulated = false }: { kind?: SourceKind; simulated?: boolean } = {},
    ) {
        this.kind = kind
        this.simulated = simulated
        const key = createHash("sha256").update(seed).digest()
        this.#stream = createCipheriv("aes-256-ctr", key, Buffer.alloc(16))
    }

    readonly open = (): Promise<Source> => {
        if (!this.plugged) return Promise.reject(new UserError("there is no such device; plug it in"))
        this.opened += 1
        this.held += 1
        return Promise.resolve(this.#source())
    }

    /** What the next read gives, if it asks for as many. */
    giveNext(bytes: Uint8Array): void {
        this.#next.push(bytes)
    }

    #source(): Source {
        return {
            facts: { opened: this.opened },
            read: (length, signal) => this.#read(length, signal),
            close: async () => {
                await this.closing
                this.held -= 1
            },
        }
    }

    async #read(length: number, signal: AbortSignal): Promise<Uint8Array> {
        const { pace, stuckAt } = this
        if (pace !== undefined) await pace.clock.sleep(pace.ms, signal)
        this.onRead()
        if (!this.plugged) throw new Error("the device is gone")
        if (this.refusal !== undefined) throw this.refusal
        const given = this.#nextOf(length) ?? this.#make(Math.min(length, pace?.bytes ?? length), stuckAt)
        this.given.push(given)
        return given
    }

    #nextOf(length: number): Uint8Array | undefined {
        return this.#next[0]?.length === length ? this.#next.shift() : undefined
    }

    #make(length: number, stuckAt: number | undefined): Uint8Array {
        const bytes = new Uint8Array(length)
        return stuckAt === undefined ? Uint8Array.from(this.#stream.update(bytes)) : bytes.fill(stuckAt)
    }
}

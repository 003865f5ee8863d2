/** A session with a PKCS#11 token, logged in with the PIN of a file. */
import { createHash } from "node:crypto"
import { realpath } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"

import { readIfThere } from "@tallylight/node/durable-file.js"
import { refuseReadableByOthers } from "@tallylight/node/key-files.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"

import type { SourceFacts } from "../sources/source.ts"
import type { Handle, TokenKey } from "./module-calls.ts"
import { ModuleGone, ModuleProcess, Pkcs11Failure, type ModuleProgram } from "./module-process.ts"
import type { TokenSettings } from "./token-settings.ts"

/** The session is over: the token was pulled, its module was restarted, somebody else closed it. Open another one. */
export class TokenLost extends Error {
    override readonly name = "TokenLost"
}

/** What a module may return where a session, or what was found through it, is no more. */
const losses = new Set([
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_SESSION_CLOSED",
    "CKR_DEVICE_REMOVED",
    "CKR_DEVICE_ERROR",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_TOKEN_NOT_RECOGNIZED",
    "CKR_SLOT_ID_INVALID",
    "CKR_OBJECT_HANDLE_INVALID",
    "CKR_KEY_HANDLE_INVALID",
    "CKR_USER_NOT_LOGGED_IN",
    "CKR_CRYPTOKI_NOT_INITIALIZED",
    "CKR_GENERAL_ERROR",
    "CKR_FUNCTION_FAILED",
])

const wrongPins = new Set(["CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"])

/** A new key takes seconds in SoftHSM, and up to minutes in the chips of small tokens. */
const creationMs = 300_000

/** How long whoever closes a session waits for that: before it comes what was asked already, which may never return. */
const closingMs = 1000

/** Places with hashes of PINs that their tokens refused: a token locks itself after a few, so none is tried twice. */
const refusedPins = new Set<string>()

/** By place, settles when the attempts to log in so far have: who comes next must know what came of them. */
const attempts = new Map<string, Promise<unknown>>()

export class Token {
    readonly facts: SourceFacts
    readonly #process: ModuleProcess
    readonly #session: Handle
    readonly #timeoutMs: number

    private constructor(process: ModuleProcess, session: Handle, facts: SourceFacts, timeoutMs: number) {
        this.#process = process
        this.#session = session
        this.facts = facts
        this.#timeoutMs = timeoutMs
    }

    /**
     * Rejects with a UserError where the token is not there, or its PIN is not the one in the file; with the signal's
     * reason at once, whatever the module does.
     */
    static async open(settings: TokenSettings, program: ModuleProgram, signal?: AbortSignal): Promise<Token> {
        const { module, token, pinFile, environment, timeoutMs, simulated } = settings
        const place = await placeOf(settings)
        const over = await turnAt(place, signal)
        let attempt: Promise<unknown> = Promise.resolve()
        try {
            const pin = await readPin(pinFile)
            const tried = JSON.stringify([place, createHash("sha256").update(pin).digest("hex")])
            if (refusedPins.has(tried)) throw wrongPin(token, pinFile)
            const process = ModuleProcess.share(module, environment, program)
            const called = process.call("open", { token, pin, simulated }, timeoutMs)
            // Also what nobody waits for any more may have been refused.
            attempt = called.catch((error: unknown) => {
                if (isWrongPin(error)) refusedPins.add(tried)
            })
            try {
                const opened = await orAborted(called, signal)
                return new Token(process, opened.session, { module, ...opened.facts }, timeoutMs)
            } catch (error) {
                if (signal?.aborted === true) process.abandon()
                else process.release()
                if (isWrongPin(error)) throw wrongPin(token, pinFile, error)
                if (error instanceof Pkcs11Failure || error instanceof ModuleGone)
                    throw new UserError(`cannot open the token ${token}: ${error.message}`, { cause: error })
                throw error
            }
        } finally {
            void attempt.then(over)
        }
    }

    /** Rejects with the signal's reason at once, whatever the module does. */
    random(length: number, signal?: AbortSignal): Promise<Uint8Array> {
        const request = { session: this.#session, length }
        return orAborted(this.#use(this.#process.call("random", request, this.#timeoutMs)), signal)
    }

    findKeys(label: string): Promise<TokenKey[]> {
        return this.#use(this.#process.call("findKeys", { session: this.#session, label }, this.#timeoutMs))
    }

    createKey(label: string): Promise<void> {
        return this.#use(this.#process.call("createKey", { session: this.#session, label }, creationMs))
    }

    /** RSASSA-PKCS1-v1_5 with SHA-512. */
    sign(key: Handle, message: Uint8Array): Promise<Uint8Array> {
        const request = { session: this.#session, key, message }
        return this.#use(this.#process.call("sign", request, this.#timeoutMs))
    }

    /** Of one that does not return in time, the session is closed behind whoever has the module too, or with it. */
    async close(): Promise<void> {
        const closed = this.#process
            .call("close", { session: this.#session }, this.#timeoutMs)
            .catch((error: unknown) => {
                // One that is lost is closed.
                if (!(error instanceof Pkcs11Failure || error instanceof ModuleGone)) throw error
            })
        const ended = new AbortController()
        const late = sleep(closingMs, "late", { signal: ended.signal }).catch(() => undefined)
        try {
            if ((await Promise.race([closed, late])) === "late") this.#process.abandon()
            else this.#process.release()
        } finally {
            ended.abort()
        }
    }

    async #use<T>(called: Promise<T>): Promise<T> {
        try {
            return await called
        } catch (error) {
            if (error instanceof Pkcs11Failure && losses.has(error.code)) this.#process.end()
            else if (!(error instanceof ModuleGone)) throw error
            throw new TokenLost(`the token is lost: ${error.message}`, { cause: error })
        }
    }
}

/**
 * Of a token, for all who name it alike. The environment is part of it: two devices of one maker have the same module and
 * label, and a file for each that the environment names.
 */
export async function placeOf({ module, token, environment }: TokenSettings): Promise<string> {
    const library = await realpath(module).catch((error: unknown) => {
        // Whoever loads it says that it is not there.
        if (systemCode(error) === undefined) throw error
        return module
    })
    return JSON.stringify([library, token, Object.entries(environment).sort()])
}

/** Resolves when it is the caller's turn at that place, to what ends it; rejects with the signal's reason. */
async function turnAt(place: string, signal: AbortSignal | undefined): Promise<() => void> {
    const before = attempts.get(place) ?? Promise.resolve()
    let over: () => void = () => undefined
    const ended = new Promise<void>((resolve) => (over = resolve))
    attempts.set(
        place,
        before.then(() => ended),
    )
    try {
        await orAborted(before, signal)
    } catch (error) {
        over()
        throw error
    }
    return over
}

function isWrongPin(error: unknown): error is Pkcs11Failure {
    return error instanceof Pkcs11Failure && wrongPins.has(error.code)
}

/** Or the signal's reason, where that comes first. */
async function orAborted<T>(called: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (signal === undefined) return called
    let onAbort: () => void = () => undefined
    const aborted = new Promise<never>((_, reject) => {
        onAbort = () => reject(signal.reason as Error)
        signal.addEventListener("abort", onAbort, { once: true })
        if (signal.aborted) onAbort()
    })
    try {
        return await Promise.race([called, aborted])
    } finally {
        signal.removeEventListener("abort", onAbort)
    }
}

async function readPin(path: string): Promise<string> {
    const content = await readIfThere(path)
    if (content === undefined)
        throw new UserError(`there is no PIN file ${path}; write the PIN of the token's user to it`)
    await refuseReadableByOthers(path)
    const pin = content.toString("utf8").replace(/\r?\n$/, "")
    if (pin === "" || /[\r\n]/.test(pin)) throw new UserError(`${path} must hold one line, the PIN`)
    return pin
}

function wrongPin(token: string, pinFile: string, cause?: Error): UserError {
    return new UserError(
        `the token ${token} refuses the PIN in ${pinFile}; it is not tried again, since the token locks after a few ` +
            `wrong ones: correct the file`,
        { cause },
    )
}

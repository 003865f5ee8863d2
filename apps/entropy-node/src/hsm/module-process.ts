/**
 * A PKCS#11 module in a process of its own.
 *
 * Most of a module's functions return when the token has answered, which is milliseconds for random bytes, seconds
 * for a new key, and never for one whose cable was pulled at the wrong moment; the package has a version that does
 * not block for but a few of them. Here each call may take as long as it needs, one that never returns is ended with
 * its process, a vendor's library that crashes takes nothing with it, and what the library reads from its environment
 * is its own. A module may be initialised once in a process, and some devices can be opened by one process only: all
 * who use a module share its process.
 */
import { fork, type ChildProcess } from "node:child_process"

import { UserError } from "@tallylight/node/user-error.js"

import type { Answer, CallName, Question, Request, Result } from "./module-calls.ts"

export type ModuleProgram = {
    /** Of module-program, as the caller's own loader would find it. */
    readonly url: URL
    /** Node's options for the process; those of this one where absent. */
    readonly execArgv?: readonly string[]
}

/** What the module returned instead of an answer, by the name of its constant. */
export class Pkcs11Failure extends Error {
    override readonly name = "Pkcs11Failure"
    readonly code: string

    constructor(code: string, method: string) {
        super(`${method} of the PKCS#11 module returned ${code}`)
        this.code = code
    }
}

/** The module's process has ended, or does not answer and was ended: every session in it is lost. */
export class ModuleGone extends Error {
    override readonly name = "ModuleGone"
}

/** For the program itself to start, on a machine that has much else to do. */
const startMs = 60_000

const running = new Map<string, ModuleProcess>()

export class ModuleProcess {
    readonly #key: string
    readonly #child: ChildProcess
    readonly #ended: Promise<never>
    /** Settles when the call before has. */
    #last: Promise<unknown>
    #users = 1

    private constructor(key: string, child: ChildProcess, path: string) {
        this.#key = key
        this.#child = child
        this.#ended = new Promise((_, reject) => {
            child.on("error", (cause) => reject(new ModuleGone(`cannot run ${path}`, { cause })))
            child.on("exit", (code, signal) =>
                reject(
                    new ModuleGone(
                        `the process of the PKCS#11 module ${path} ended (${signal ?? code ?? ""})`,
                    ),
                ),
            )
        })
        // Whoever asks next is told; nobody may be asking now.
        this.#ended.catch(() => this.#forget())
        this.#last = this.#heard(startMs).catch(() => undefined)
    }

    /** Starts it, or joins those who have it already. Each one releases it. */
    static share(
        path: string,
        environment: Readonly<Record<string, string>>,
        { url, execArgv = process.execArgv }: ModuleProgram,
    ): ModuleProcess {
        const key = JSON.stringify([path, Object.entries(environment).sort()])
        const present = running.get(key)
        if (present !== undefined) {
            present.#users += 1
            return present
        }
        const child = fork(url, [path], {
            env: { ...process.env, ...environment },
            execArgv: [...execArgv],
            serialization: "advanced",
            stdio: ["ignore", "ignore", "inherit", "ipc"],
        })
        const started = new ModuleProcess(key, child, path)
        running.set(key, started)
        return started
    }

    get pid(): number | undefined {
        return this.#child.pid
    }

    /**
     * One call after the other. Rejects with a UserError, a {@link Pkcs11Failure} or {@link ModuleGone}, the latter
     * also where the call itself has taken longer than `timeoutMs`.
     */
    call<Name extends CallName>(
        name: Name,
        request: Request<Name>,
        timeoutMs: number,
    ): Promise<Result<Name>> {
        const called = this.#last.then(() => this.#ask({ name, request }, timeoutMs))
        this.#last = called.catch(() => undefined)
        return called as Promise<Result<Name>>
    }

    /** For everybody: what is lost is found again only by a module that starts afresh. */
    end(): void {
        this.#forget()
        this.#child.kill("SIGKILL")
    }

    release(): void {
        this.#users -= 1
        if (this.#users > 0) return
        this.#forget()
        if (this.#child.connected) this.#child.disconnect()
    }

    /** By one who does not wait for an answer any more. Without anybody else, nothing that it still does matters. */
    abandon(): void {
        if (this.#users === 1) this.end()
        this.release()
    }

    #forget(): void {
        if (running.get(this.#key) === this) running.delete(this.#key)
    }

    async #ask(question: Question, timeoutMs: number): Promise<unknown> {
        const answer = this.#heard(timeoutMs)
        // That there is nobody any more is told by its end.
        if (this.#child.connected) this.#child.send(question, () => undefined)
        return resultOf((await answer) as Answer)
    }

    /** What it says next. */
    async #heard(timeoutMs: number): Promise<unknown> {
        let timer: NodeJS.Timeout | undefined
        let take: (said: unknown) => void = () => undefined
        const said = new Promise<unknown>((resolve, reject) => {
            take = resolve
            this.#child.once("message", take)
            timer = setTimeout(() => {
                this.end()
                reject(new ModuleGone(`the PKCS#11 module has not answered for ${timeoutMs} ms`))
            }, timeoutMs)
        })
        try {
            return await Promise.race([said, this.#ended])
        } finally {
            clearTimeout(timer)
            this.#child.off("message", take)
        }
    }
}

function resultOf(answer: Answer): unknown {
    if ("sentence" in answer) throw new UserError(answer.sentence)
    if ("code" in answer) throw new Pkcs11Failure(answer.code, answer.method)
    return answer.result
}

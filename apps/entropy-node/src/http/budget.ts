/** How many bytes a caller may have in a period. One book, in one process, however many processes serve. */
import type { Clock } from "@tallylight/protocol/ports/clock.js"

/** So many bytes in each period of so many seconds, counted from 1970 on, so that all callers know when it ends. */
export type Budget = { readonly bytes: number; readonly periodSeconds: number }

/** What is left to a caller: bytes, and seconds until the period ends. */
export type Allowance = { readonly limit: number; readonly remaining: number; readonly resetSeconds: number }

/** What is left after bytes were spent in that period, which {@link Budgets.refund} takes. */
export type Spent = Allowance & { readonly period: number }

export class BudgetSpent extends Error {
    override readonly name = "BudgetSpent"
    readonly allowance: Allowance

    constructor(allowance: Allowance) {
        const { limit, remaining, resetSeconds } = allowance
        super(
            `of ${limit} bytes in this period ${remaining} are left; the next one begins in ${resetSeconds} s`,
        )
        this.allowance = allowance
    }
}

export interface Budgets {
    /** Rejects with {@link BudgetSpent} where fewer bytes are left, and then takes none. */
    spend(caller: string, budget: Budget, bytes: number): Promise<Spent>
    /** Gives back what was spent in that period and not handed out; nothing once the period has ended. */
    refund(caller: string, period: number, bytes: number): Promise<void>
}

type Account = { period: number; spent: number }

/** Callers are as many as there are tokens, so nothing here grows. */
export class BudgetBook implements Budgets {
    readonly #clock: Clock
    readonly #accounts = new Map<string, Account>()

    constructor(clock: Clock) {
        this.#clock = clock
    }

    spend(caller: string, budget: Budget, bytes: number): Promise<Spent> {
        const account = this.#account(caller, budget)
        if (bytes > budget.bytes - account.spent)
            return Promise.reject(new BudgetSpent(this.#left(account, budget)))
        account.spent += bytes
        return Promise.resolve({ ...this.#left(account, budget), period: account.period })
    }

    /** What was spent in a period that has ended is gone with it. */
    refund(caller: string, period: number, bytes: number): Promise<void> {
        const account = this.#accounts.get(caller)
        if (account?.period === period) account.spent = Math.max(0, account.spent - bytes)
        return Promise.resolve()
    }

    #account(caller: string, { periodSeconds }: Budget): Account {
        const period = Math.floor(this.#clock.now() / 1000 / periodSeconds)
        const before = this.#accounts.get(caller)
        // A wall clock that was set back must not open a second budget for a period that was used up.
        if (before !== undefined && before.period >= period) return before
        const account = { period, spent: 0 }
        this.#accounts.set(caller, account)
        return account
    }

    #left({ period, spent }: Account, { bytes, periodSeconds }: Budget): Allowance {
        const endsIn = ((period + 1) * periodSeconds * 1000 - this.#clock.now()) / 1000
        return { limit: bytes, remaining: bytes - spent, resetSeconds: Math.max(1, Math.ceil(endsIn)) }
    }
}

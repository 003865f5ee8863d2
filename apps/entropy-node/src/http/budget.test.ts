import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { beforeEach, expect, test } from "vitest"
import { BudgetBook, BudgetSpent } from "./budget.ts"

const budget = { bytes: 100, periodSeconds: 60 }

let clock: ManualClock
let book: BudgetBook
beforeEach(() => {
    clock = new ManualClock(600_000)
    book = new BudgetBook(clock)
})

test("a budget can be spent to its last byte, and a refused spending takes nothing", async () => {
    expect(await book.spend("lab", budget, 60)).toEqual({
        ...{ limit: 100, remaining: 40, resetSeconds: 60 },
        period: 10,
    })
    await clock.advance(12_500)
    const error: unknown = await book.spend("lab", budget, 41).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(BudgetSpent)
    expect(error).toMatchObject({ allowance: { limit: 100, remaining: 40, resetSeconds: 48 } })
    expect(await book.spend("lab", budget, 40)).toMatchObject({ remaining: 0 })
    await expect(book.spend("lab", budget, 1)).rejects.toThrow("of 100 bytes in this period 0 are left")
})

test("callers have budgets of their own", async () => {
    await book.spend("lab", budget, 100)
    expect(await book.spend("other", budget, 100)).toMatchObject({ remaining: 0 })
})

test("what is given back can be spent again, and never makes more than the budget", async () => {
    const { period } = await book.spend("lab", budget, 100)
    await book.refund("lab", period, 30)
    expect(await book.spend("lab", budget, 30)).toMatchObject({ remaining: 0 })
    await book.refund("lab", period, 1000)
    await expect(book.spend("lab", budget, 101)).rejects.toThrow(BudgetSpent)
})

test("what is given back after its period has ended adds nothing to the next one", async () => {
    const { period } = await book.spend("lab", budget, 100)
    await clock.advance(60_000)
    await book.refund("lab", period, 40)
    expect(await book.spend("lab", budget, 100)).toMatchObject({ remaining: 0 })
    await book.refund("lab", period, 40)
    await expect(book.spend("lab", budget, 1)).rejects.toThrow(BudgetSpent)
})

test("a period begins at a whole number of periods since 1970, and with it the budget", async () => {
    await clock.advance(59_999)
    expect(await book.spend("lab", budget, 100)).toMatchObject({ resetSeconds: 1 })
    await clock.advance(1)
    expect(await book.spend("lab", budget, 100)).toMatchObject({ remaining: 0, resetSeconds: 60 })
})

test("a wall clock that is set back opens no budget again", async () => {
    await book.spend("lab", budget, 100)
    await clock.setTime(0)
    await expect(book.spend("lab", budget, 1)).rejects.toThrow(BudgetSpent)
})

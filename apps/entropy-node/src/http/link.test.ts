/** A worker's questions, answered by nobody or by a twin. */
import { expect, test } from "vitest"
import { PrimaryLink } from "./link.ts"
import { paid } from "./serving.ts"
import type { ToPrimary } from "./questions.ts"

const budget = { bytes: 1000, periodSeconds: 60 }

test("no more questions wait than may, but for seeds and refunds, which strangers cannot hold up", async () => {
    const sent: string[] = []
    const link = new PrimaryLink((message: ToPrimary) => {
        if (message.kind === "ask") sent.push(message.question.name)
    }, 2)
    const waiting: Promise<unknown>[] = [link.status(), link.raw(8)]
    await expect(link.status()).rejects.toThrow("this node has more to answer than it can")
    await expect(link.spend("lab", budget, 8)).rejects.toMatchObject({ code: "busy" })
    waiting.push(link.seed(), link.refund("lab", 1, 8))
    expect(sent).toEqual(["status", "raw", "seed", "refund"])
    for (const id of [1, 2, 3, 4]) link.settle({ kind: "answer", id, value: undefined })
    await Promise.all(waiting)
    void link.setConsumption("once")
    expect(sent.at(-1)).toBe("setConsumption")
})

test("who gets nothing is paid back, and told why, however much waits", async () => {
    const refunds: unknown[] = []
    const link: PrimaryLink = new PrimaryLink((message: ToPrimary) => {
        if (message.kind !== "ask") return
        const { id, question } = message
        if (question.name === "refund") refunds.push(question)
        const value = { limit: 1000, remaining: 400, resetSeconds: 9, period: 3 }
        if (question.name !== "status") link.settle({ kind: "answer", id, value })
    }, 1)
    const failing = paid({ budgets: link }, { name: "lab", admin: false, budget }, 600, () => {
        void link.status()
        throw new Error("the reason")
    })
    await expect(failing).rejects.toThrow("the reason")
    expect(refunds).toEqual([{ name: "refund", caller: "lab", period: 3, bytes: 600 }])
})

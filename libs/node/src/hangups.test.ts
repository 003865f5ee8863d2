import { expect, test } from "vitest"
import { Hangups } from "./hangups.ts"

const listeners = (): number => process.listenerCount("SIGHUP")

test("answers each one, from when there is an answer to its end", () => {
    const before = listeners()
    let answered = 0
    const hangups = new Hangups(false)
    process.emit("SIGHUP")
    hangups.answer(() => (answered += 1))
    expect(answered).toBe(0)
    process.emit("SIGHUP")
    process.emit("SIGHUP")
    expect(answered).toBe(2)
    hangups.end()
    expect(listeners()).toBe(before)
})

test("leaves it alone on a terminal, where it is the end", () => {
    const before = listeners()
    const hangups = new Hangups(true)
    hangups.answer(() => undefined)
    expect(listeners()).toBe(before)
    hangups.end()
    expect(listeners()).toBe(before)
})

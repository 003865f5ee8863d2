import { expect, test } from "vitest"
import { Turns } from "./event-loop-turns.ts"

/** Holds the event loop for three milliseconds. */
function work(): void {
    const begun = performance.now()
    while (performance.now() - begun < 3);
}

test("gives turns in the order in which they were asked for", async () => {
    const turns = new Turns()
    const order: number[] = []
    await Promise.all(Array.from({ length: 100 }, (_, at) => turns.next().then(() => order.push(at))))
    expect(order).toEqual(Array.from({ length: 100 }, (_, at) => at))
})

test("lets others in between, whoever asks for turns as fast as he gets them", async () => {
    const turns = new Turns()
    let passes = 0
    let busy = true
    const count = (): void => {
        passes += 1
        if (busy) setImmediate(count)
    }
    setImmediate(count)
    const greedy = async (): Promise<void> => {
        for (let times = 0; times < 5; times++) {
            await turns.next()
            work()
        }
    }
    await Promise.all(Array.from({ length: 8 }, greedy))
    busy = false
    // Forty times three milliseconds, at most two of them in a pass of five.
    expect(passes).toBeGreaterThanOrEqual(20)
})

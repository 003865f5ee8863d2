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
    await Promise.all(Array.from({ length: 100 }, (_, at) => turns.next(turns).then(() => order.push(at))))
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
            await turns.next(turns)
            work()
        }
    }
    await Promise.all(Array.from({ length: 8 }, greedy))
    busy = false
    // Forty times three milliseconds, at most two of them in a pass of five.
    expect(passes).toBeGreaterThanOrEqual(20)
})

test("groups take turns, and so do those within a group, however many one has", async () => {
    const turns = new Turns()
    let left = 400
    /** Asks again as soon as it has had its turn; resolves to how many it had. */
    const asker = async (group: object): Promise<number> => {
        for (let had = 0; ; had++) {
            await turns.next(group)
            if (left-- <= 0) return had
        }
    }
    const askers = (count: number): Promise<number[]> => {
        const group = {}
        return Promise.all(Array.from({ length: count }, () => asker(group)))
    }
    const [crowd, few] = await Promise.all([askers(200), askers(10)])
    expect(new Set(crowd)).toEqual(new Set([1]))
    expect(new Set(few)).toEqual(new Set([20]))
})

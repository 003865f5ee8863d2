import { describe, expect, test } from "vitest"

import { signalHolders } from "../../../../test/signal-holders.ts"
import { untilAny } from "./until-any.ts"

/** Rejects with the signal's reason. */
function aborted(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
        const end = (): void => reject(signal.reason as Error)
        if (signal.aborted) end()
        signal.addEventListener("abort", end)
    })
}

describe("work", () => {
    test.each([0, 1])("ends with signal %i of two, and its reason", async (which) => {
        const ends = [new AbortController(), new AbortController()]
        const signals = ends.map(({ signal }) => signal)
        const reason = new Error("enough")
        const work = untilAny(signals, aborted)
        ends[which]?.abort(reason)
        await expect(work).rejects.toBe(reason)
        expect(signals.map(signalHolders)).toEqual([0, 0])
    })

    test("ends with a signal that came before it, the first of them", async () => {
        const [first, second] = [new Error("first"), new Error("second")]
        const signals = [new AbortController().signal, AbortSignal.abort(first), AbortSignal.abort(second)]
        await expect(untilAny(signals, aborted)).rejects.toBe(first)
        expect(signals.map(signalHolders)).toEqual([0, 0, 0])
    })

    test("has begun when the call returns", () => {
        let begun = false
        void untilAny([], () => {
            begun = true
            return Promise.resolve()
        })
        expect(begun).toBe(true)
    })
})

describe("a signal that outlives the work", () => {
    test.each(["resolves", "rejects", "throws"])(
        "forgets work that %s, and that hears of its end",
        async (how) => {
            const { signal } = new AbortController()
            let inner = AbortSignal.abort()
            const work = untilAny([signal], (given) => {
                inner = given
                expect([signalHolders(signal), given.aborted]).toEqual([1, false])
                if (how === "throws") throw new Error(how)
                return how === "rejects" ? Promise.reject(new Error(how)) : Promise.resolve(how)
            })
            const [outcome] = await Promise.allSettled([work])
            expect(outcome.status).toBe(how === "resolves" ? "fulfilled" : "rejected")
            expect([signalHolders(signal), signal.aborted, inner.aborted]).toEqual([0, false, true])
        },
    )

    test("does not forget what AbortSignal.any made of it", () => {
        const { signal } = new AbortController()
        const made = [1, 2, 3].map(() => AbortSignal.any([signal]))
        expect([made.length, signalHolders(signal)]).toEqual([3, 3])
    })
})

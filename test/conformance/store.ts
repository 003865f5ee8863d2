import { StaleHead, type Head, type LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

export type OpenStore = {
    readonly store: LedgerStore
    /** Another store over the same entries, whether the first is closed or not. */
    readonly reopen: () => Promise<LedgerStore>
    /** Closes whatever is still open, and removes the entries. */
    readonly cleanup: () => Promise<void>
}

const empty: Head = { size: 0, checkpoint: "" }

function entries(count: number, first = 0): Uint8Array[] {
    return Array.from({ length: count }, (_, i) => Uint8Array.of((first + i) >> 8, (first + i) & 0xff))
}

async function all(store: LedgerStore, from: number, to: number): Promise<Uint8Array[]> {
    const read: Uint8Array[] = []
    for await (const entry of store.read(from, to)) read.push(new Uint8Array(entry))
    return read
}

/** What every LedgerStore promises, run against one that `open` makes afresh for each test. */
export function storeConformance(name: string, open: () => Promise<OpenStore>): void {
    describe(`${name} is a LedgerStore`, () => {
        let opened: OpenStore
        let store: LedgerStore

        beforeEach(async () => {
            opened = await open()
            store = opened.store
        })
        afterEach(() => opened.cleanup())

        test("starts empty", async () => {
            expect(await store.head()).toStrictEqual(empty)
            expect(await all(store, 0, 0)).toStrictEqual([])
        })

        test("returns the new head and shows it to every later call", async () => {
            const head = await store.append(empty, entries(2), "two")
            expect(head).toStrictEqual({ size: 2, checkpoint: "two" })
            expect(await store.head()).toStrictEqual(head)
            expect(await all(store, 0, 2)).toStrictEqual(entries(2))
        })

        test("appends behind what is there", async () => {
            const head = await store.append(empty, entries(3), "three")
            await store.append(head, entries(2, 3), "five")
            expect(await store.head()).toStrictEqual({ size: 5, checkpoint: "five" })
            expect(await all(store, 0, 5)).toStrictEqual(entries(5))
        })

        test("keeps bytes of every value, one or 65,535 of them", async () => {
            const every = Uint8Array.from({ length: 65_535 }, (_, i) => i & 0xff)
            await store.append(empty, [Uint8Array.of(0), every], "checkpoint — 2\n")
            expect(await all(store, 0, 2)).toStrictEqual([Uint8Array.of(0), every])
            expect((await store.head()).checkpoint).toBe("checkpoint — 2\n")
        })

        test("keeps a view of a larger buffer as the view alone", async () => {
            const around = Uint8Array.from([9, 9, 1, 2, 9])
            await store.append(empty, [around.subarray(2, 4)], "one")
            expect(await all(store, 0, 1)).toStrictEqual([Uint8Array.of(1, 2)])
        })

        test("reads from an index up to but not including another, in order", async () => {
            await store.append(empty, entries(700), "many")
            expect(await all(store, 255, 258)).toStrictEqual(entries(3, 255))
            expect(await all(store, 0, 700)).toStrictEqual(entries(700))
            expect(await all(store, 700, 700)).toStrictEqual([])
        })

        test("hands out bytes that the reader may change", async () => {
            await store.append(empty, entries(1), "one")
            for await (const entry of store.read(0, 1)) entry.fill(0xff)
            expect(await all(store, 0, 1)).toStrictEqual(entries(1))
        })

        test("refuses to read beyond the end", async () => {
            await store.append(empty, entries(2), "two")
            expect(await all(store, 0, 2)).toHaveLength(2)
            await expect(all(store, 0, 3)).rejects.toThrow(RangeError)
            await expect(all(store, 3, 3)).rejects.toThrow(RangeError)
        })

        test("a read that somebody leaves early disturbs nothing", async () => {
            const head = await store.append(empty, entries(10), "ten")
            for await (const entry of store.read(0, 10)) {
                expect(entry).toStrictEqual(entries(1)[0])
                break
            }
            await store.append(head, entries(1, 10), "eleven")
            expect(await all(store, 0, 11)).toStrictEqual(entries(11))
        })

        test("a read sees its range alone while others append", async () => {
            let head = await store.append(empty, entries(5), "five")
            const seen: Uint8Array[] = []
            for await (const entry of store.read(0, 5)) {
                seen.push(new Uint8Array(entry))
                head = await store.append(head, entries(1, head.size), `size ${head.size + 1}`)
            }
            expect(seen).toStrictEqual(entries(5))
            expect(head.size).toBe(10)
        })

        test("refuses to append to a head of another size", async () => {
            await store.append(empty, entries(1), "one")
            await expect(store.append(empty, entries(1), "again")).rejects.toThrow(StaleHead)
            await expect(store.append({ size: 2, checkpoint: "one" }, entries(1), "again")).rejects.toThrow(
                StaleHead,
            )
            expect(await store.head()).toStrictEqual({ size: 1, checkpoint: "one" })
        })

        test("refuses to append to a head with another checkpoint", async () => {
            await store.append(empty, entries(1), "one")
            const forked = { size: 1, checkpoint: "won" }
            await expect(store.append(forked, entries(1), "again")).rejects.toThrow(StaleHead)
            expect(await all(store, 0, 1)).toStrictEqual(entries(1))
        })

        test("lets one of several appends at once win", async () => {
            const outcomes = await Promise.allSettled(
                ["a", "b", "c", "d"].map((mark, i) => store.append(empty, entries(1 + i), mark)),
            )
            const won = outcomes.filter((outcome) => outcome.status === "fulfilled")
            const lost = outcomes.filter((outcome) => outcome.status === "rejected")
            expect(won).toHaveLength(1)
            for (const { reason } of lost) expect(reason).toBeInstanceOf(StaleHead)
            expect(await store.head()).toStrictEqual(won[0]!.value)
        })

        test("goes on after a stale head", async () => {
            const head = await store.append(empty, entries(1), "one")
            await expect(store.append(empty, entries(1), "again")).rejects.toThrow(StaleHead)
            await store.append(head, entries(1, 1), "two")
            expect(await all(store, 0, 2)).toStrictEqual(entries(2))
        })

        test("has everything after being closed and opened again", async () => {
            await store.append(empty, entries(3), "three")
            await store.close()
            const again = await opened.reopen()
            expect(await again.head()).toStrictEqual({ size: 3, checkpoint: "three" })
            expect(await all(again, 0, 3)).toStrictEqual(entries(3))
            await again.close()
        })

        test("shares one ledger between two that are open", async () => {
            const other = await opened.reopen()
            const head = await store.append(empty, entries(1), "one")
            expect(await other.head()).toStrictEqual(head)
            await expect(other.append(empty, entries(1), "other")).rejects.toThrow(StaleHead)
            await other.append(head, entries(1, 1), "two")
            expect(await all(store, 0, 2)).toStrictEqual(entries(2))
            await expect(store.append(head, entries(1, 1), "late")).rejects.toThrow(StaleHead)
            await other.close()
        })
    })
}

import { ContractBroken, MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { describe, expect, test } from "vitest"

import { storeConformance } from "./store.ts"

storeConformance("MemoryStore", () => {
    const store = new MemoryStore()
    return Promise.resolve({
        store,
        reopen: () => Promise.resolve(store.reopen()),
        cleanup: () => Promise.resolve(),
    })
})

describe("MemoryStore", () => {
    const empty = { size: 0, checkpoint: "" }
    const entry = (): Uint8Array => Uint8Array.of(1, 2, 3)

    test("fails the caller who changes an entry after appending it", async () => {
        const store = new MemoryStore()
        const given = entry()
        await store.append(empty, [given], "one")
        expect(await store.head()).toStrictEqual({ size: 1, checkpoint: "one" })
        given[0] = 9
        await expect(store.head()).rejects.toThrow(ContractBroken)
        await expect(store.close()).rejects.toThrow("an entry was changed after it was appended")
    })

    test("fails the caller who changes an entry while it is being appended", async () => {
        const store = new MemoryStore()
        const given = entry()
        const appending = store.append(empty, [given], "one")
        given[0] = 9
        await expect(appending).rejects.toThrow(ContractBroken)
    })

    test("keeps the entries of an append that fails after its commit", async () => {
        const store = new MemoryStore()
        store.failButKeep()
        await expect(store.append(empty, [entry()], "one")).rejects.toThrow("the disk failed")
        expect(await store.reopen().head()).toStrictEqual({ size: 1, checkpoint: "one" })
    })

    test("loses the entries of an append that fails before its commit", async () => {
        const store = new MemoryStore()
        store.failAndLose()
        await expect(store.append(empty, [entry()], "one")).rejects.toThrow("the disk failed")
        const again = store.reopen()
        expect(await again.head()).toStrictEqual(empty)
        expect(await again.append(empty, [entry()], "one")).toStrictEqual({ size: 1, checkpoint: "one" })
    })

    test("spends a fault on an append that gets that far, not on a stale one", async () => {
        const store = new MemoryStore()
        store.failAndLose()
        await expect(store.append({ size: 5, checkpoint: "" }, [], "x")).rejects.toThrow("expected 5 entries")
        await expect(store.append(empty, [entry()], "one")).rejects.toThrow("the disk failed")
    })

    test.each(["failButKeep", "failAndLose"] as const)("may only be reopened after %s", async (fault) => {
        const store = new MemoryStore()
        store[fault]()
        await expect(store.append(empty, [entry()], "one")).rejects.toThrow("the disk failed")
        await expect(store.head()).rejects.toThrow("used after a failed append")
        await expect(store.append(empty, [], "two")).rejects.toThrow("used after a failed append")
        await expect(store.read(0, 0)[Symbol.asyncIterator]().next()).rejects.toThrow(ContractBroken)
    })

    test("may not be used after it is closed", async () => {
        const store = new MemoryStore()
        await store.close()
        await expect(store.head()).rejects.toThrow("used after close")
    })
})

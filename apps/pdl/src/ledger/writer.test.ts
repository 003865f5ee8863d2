import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { pick, seal } from "@tallylight/protocol/sample/mutant.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { expect, test } from "vitest"
import { LedgerClock } from "./clock.ts"
import { LedgerWriter } from "./writer.ts"

const hour = 3_600_000

/** The sample just before its first ticket, on a disk that takes as long as the test says. */
async function beforeTicket() {
    const sample = sampleLedger()
    const { index, entry: ticket } = pick(sample, "ticket")
    const state = sample.states[index - 1]
    if (state === undefined) throw new Error("the sample begins with a ticket")
    const { ledgerSeed } = sample.keys
    const bytes = sample.entries.slice(0, index).map(encodeEntry)
    const memory = new MemoryStore()
    const head = await memory.append(await memory.head(), bytes, seal(sample, bytes, ledgerSeed))
    let sync = (): void => undefined
    const synced = new Promise<void>((resolve) => (sync = resolve))
    const store: LedgerStore = {
        head: () => memory.head(),
        read: (from, to) => memory.read(from, to),
        close: () => memory.close(),
        append: (...group) => synced.then(() => memory.append(...group)),
    }
    const wall = new ManualClock(ticket.time)
    const onFault = (error: unknown): never => {
        throw error
    }
    const clock = new LedgerClock(wall, state, () => undefined)
    const writer = new LedgerWriter({
        ...{ store, state, head, ledgerSeed, clock, onFault },
        onCommit: () => undefined,
    })
    return { writer, wall, ticket, sync: () => (sync(), settle()) }
}

test("a wall clock that is set ahead while the ticket goes to the disk takes nothing from the window", async () => {
    const { writer, wall, ticket, sync } = await beforeTicket()
    const appended = writer.submit((_, time) => ({ ...ticket, time }))
    await settle()
    expect(writer.state.current).toBeUndefined()
    await wall.setTime(ticket.time + hour)
    expect(writer.now()).toBe(ticket.time)
    await sync()
    expect((await appended)?.entry.time).toBe(ticket.time)
    expect(writer.now()).toBe(ticket.time)
})

test("between rounds the wall clock is believed", async () => {
    const { writer, wall, ticket } = await beforeTicket()
    await wall.setTime(ticket.time + hour)
    expect(writer.now()).toBe(ticket.time + hour)
})

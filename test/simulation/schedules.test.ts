/** The fold alone, under schedules that no server would make: whatever it takes, a round keeps its promises. */
import { apply } from "@tallylight/protocol/ledger/apply.js"
import { voidReasons } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { endVoid, extendWindow } from "@tallylight/protocol/round/ending.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { dueEntry, tallies, wakeAt } from "@tallylight/protocol/round/schedule.js"
import { sealTally } from "@tallylight/protocol/round/tally.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import { Dice } from "../fuzz/dice.ts"
import { RoundJudge } from "./promises.ts"

const steps = 150

/** What it takes is judged; what it refuses is not in the ledger, and no concern of anybody's. */
class Schedule {
    readonly ledger = new SampleLedger("schedules")
    readonly problems: string[] = []
    readonly ended = new Map<number, string[]>()
    readonly #dice: Dice
    readonly #rounds = new RoundJudge()

    constructor(seed: number) {
        this.#dice = new Dice(seed)
        const { parties, solo, committee } = this.ledger.keys
        for (const { signer } of parties) this.ledger.admit(signer.publicKey, true)
        for (const party of parties) this.ledger.registerParty(party)
        this.ledger.registerRequester(solo)
        this.ledger.registerRequester(committee)
    }

    /** Whether the fold took it. */
    offer(make: () => Entry | undefined): boolean {
        const { ledger } = this
        try {
            const entry = make()
            if (entry === undefined) return false
            const before = ledger.state
            const after = apply(before, entry)
            this.problems.push(...this.#rounds.judge(before, entry, ledger.entries.length))
            ledger.entries.push(entry)
            ledger.states.push(after)
            if (entry.kind === "beacon" || entry.kind === "void")
                this.ended.set(entry.round, [...(this.ended.get(entry.round) ?? []), entry.kind])
            return true
        } catch (error) {
            if (error instanceof Refusal) return false
            throw error
        }
    }

    step(): void {
        const { ledger } = this
        const dice = this.#dice
        const { current } = ledger.state
        const party = dice.pick(ledger.keys.parties)
        ledger.time += dice.below(50)
        // Around a deadline most can go wrong.
        if (dice.below(12) === 0)
            ledger.time = Math.max(ledger.time, (wakeAt(ledger.state) ?? 0) + dice.below(2000) - 1000)
        const steps: (() => unknown)[] = [
            () => this.due(),
            () => this.due(),
            () => this.#request(),
            () => current?.phase === "open" && this.offer(() => ledger.answer(party)),
            () => current?.phase === "open" && this.offer(() => ledger.answer(party)),
            () => this.#share(),
            () => this.#share(),
            // Too early, as a server that likes what it has would.
            () =>
                current?.phase === "open" && this.offer(() => sealTally(ledger.state, current, ledger.now())),
            () =>
                current !== undefined &&
                this.offer(() => endVoid(current, dice.pick(voidReasons), ledger.now())),
            // Again, as whoever listened could, or a server that wants a round to end otherwise.
            () => this.offer(() => ({ ...dice.pick(ledger.entries), time: ledger.now() })),
            () =>
                dice.below(4) === 0 &&
                current !== undefined &&
                this.offer(() => extendWindow(ledger.state, current, ledger.now())),
        ]
        dice.pick(steps)()
    }

    due(): boolean {
        const { ledger } = this
        return this.offer(() => dueEntry(ledger.state, ledger.keys.vrfSeed, ledger.now()))
    }

    #request(): void {
        const { ledger } = this
        const { solo, committee } = ledger.keys
        try {
            ledger.request(this.#dice.pick([solo, committee]))
        } catch (error) {
            if (!(error instanceof Refusal)) throw error
        }
    }

    #share(): void {
        const { ledger } = this
        const [sealed] = tallies(ledger.state)
        if (sealed === undefined) return
        const { solo, committee } = ledger.keys
        const member = this.#dice.pick([...solo.members, ...committee.members])
        const valid = this.#dice.below(5) > 0
        const share = ledger.share(sealed, valid ? member : { ...member, secret: member.secret + 1n })
        const identity = member.signer.publicKey
        this.offer(() => ({ kind: "share", time: ledger.now(), round: sealed.round, identity, share, valid }))
    }

    /** Nobody does anything any more but the server, as time passes. */
    rest(): void {
        const { ledger } = this
        while (this.due());
        for (let wake = wakeAt(ledger.state); wake !== undefined; wake = wakeAt(ledger.state)) {
            ledger.time = Math.max(ledger.time, wake)
            if (!this.due()) throw new Error("a deadline passed, and nothing was due")
            while (this.due());
        }
    }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])("schedule %i", (seed) => {
    const schedule = new Schedule(seed)
    for (let step = 0; step < steps; step++) schedule.step()
    schedule.rest()
    expect(schedule.problems).toEqual([])
    const { state } = schedule.ledger
    expect(state.rounds).toBeGreaterThan(2)
    // Every round that got a ticket ended once; one that ended withheld may have been opened late, once.
    expect([...schedule.ended.keys()].toSorted((one, other) => one - other)).toEqual(
        Array.from({ length: state.rounds }, (_, at) => at + 1),
    )
    const ends = new Set([...schedule.ended.values()].map((kinds) => kinds.join(", then ")))
    expect(["beacon", "void", "void, then beacon"]).toEqual(expect.arrayContaining([...ends]))
})

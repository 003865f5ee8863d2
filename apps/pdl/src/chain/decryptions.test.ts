import type { ChainState, SealedRound } from "@tallylight/protocol/ledger/state.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import { samples } from "../../../../test/samples/messages.ts"
import { Decryptions } from "./decryptions.ts"

const identity = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const [{ receipt }] = samples.Receipt
const [share] = samples.RespDecryption

/** As much of a sealed round as the question for a share is made of. */
function sealed(members: readonly Uint8Array[]): SealedRound {
    const tally = { C: identity(1), D: identity(2) }
    const request = { requester: { members } }
    return {
        phase: "sealed",
        round: 1,
        ticket: identity(3),
        tally,
        tallyIndex: 9,
        shares: [],
        request,
    } as never
}

/** A server whose acceptance answers with `outcomes`, one after the other. */
function asking(
    round: SealedRound,
    outcomes: (RefusalCode | "accepted")[],
    withheld: ReadonlyMap<number, SealedRound> = new Map(),
) {
    const clock = new ManualClock()
    const state = { current: round, withheld } as unknown as { current: SealedRound | undefined }
    const unanswered: string[] = []
    const accept = () => {
        const outcome = outcomes.shift()
        if (outcome === "accepted") return Promise.resolve(receipt)
        return Promise.reject(new Refusal(outcome ?? "shutting-down"))
    }
    const decryptions = new Decryptions({
        ...{
            state: () => state as ChainState,
            clock,
            pauseMs: 1000,
            checkpointOf: () => "",
            onUnanswered: (members: readonly string[], _: number, error: unknown) => {
                unanswered.push(
                    `${members.map((name) => name.slice(0, 2)).join(" ")}: ${(error as Error).message}`,
                )
            },
        },
        acceptance: { accept } as never,
    })
    return { clock, decryptions, unanswered, open: () => (state.current = undefined) }
}

/** A connection that gives a share whenever it is asked, and notes what it is told. */
function holder(own: Uint8Array): { readonly peer: Peer; readonly heard: string[] } {
    const heard: string[] = []
    const answer: Message<"RespDecryption"> = { ...share, identity: own }
    const peer = {
        ask: () => (heard.push("asked"), { id: 2, response: Promise.resolve(answer) }),
        acknowledge: () => Promise.resolve(void heard.push("receipt")),
        refuse: (_: number, { code }: Refusal) => Promise.resolve(void heard.push(code)),
    }
    return { peer: peer as never, heard }
}

test("a member whose share the server was too busy for is asked again, without anything being logged", async () => {
    const own = identity(7)
    const { clock, decryptions } = asking(sealed([own]), ["busy", "shutting-down", "accepted"])
    const { peer, heard } = holder(own)
    decryptions.join(peer, own)
    await settle()
    expect(heard).toEqual(["asked", "busy"])
    await clock.advance(3000)
    expect(heard).toEqual(["asked", "busy", "asked", "shutting-down", "asked", "receipt"])
})

test("a member whose share was wrong is not asked for it again by itself", async () => {
    const own = identity(7)
    const { clock, decryptions } = asking(sealed([own]), ["bad-signature", "accepted"])
    const { peer, heard } = holder(own)
    decryptions.join(peer, own)
    await clock.advance(60_000)
    expect(heard).toEqual(["asked", "bad-signature"])
})

test("a commit costs nothing for those who belong to no committee", async () => {
    let reads = 0
    const own = identity(7)
    const round = sealed([own, identity(8)])
    const shares: SealedRound["shares"] = []
    Object.defineProperty(round, "shares", { get: () => (reads++, shares) })
    const { decryptions } = asking(round, ["bad-signature", "accepted"])
    for (let at = 0; at < 1000; at++) {
        const stranger = new Uint8Array(32)
            .fill(9)
            .fill(at & 255, 0, 1)
            .fill(at >> 8, 1, 2)
        decryptions.join(holder(stranger).peer, stranger)
    }
    const { peer, heard } = holder(own)
    decryptions.join(peer, own)
    await settle()
    reads = 0
    decryptions.update()
    await settle()
    expect(heard).toEqual(["asked", "bad-signature", "asked", "receipt"])
    expect(reads).toBeLessThan(5)
})

test("a commit costs nothing for rounds that were withheld, whose members were asked when they came", async () => {
    let reads = 0
    const own = identity(7)
    const count = (round: number): SealedRound =>
        Object.defineProperty({ ...sealed([own]), round }, "request", {
            get: () => (reads++, { requester: { members: [own] } }),
        })
    const withheld = new Map([11, 12, 13].map((round) => [round, count(round)]))
    const { decryptions } = asking(sealed([own]), Array<"accepted">(4).fill("accepted"), withheld)
    const { peer, heard } = holder(own)
    decryptions.join(peer, own)
    await settle()
    expect(heard.filter((what) => what === "receipt")).toHaveLength(4)
    expect(reads).toBeGreaterThan(0)
    reads = 0
    decryptions.update()
    await settle()
    expect(reads).toBe(0)
})

test("a connection that left is not asked any more", async () => {
    const own = identity(7)
    const { clock, decryptions } = asking(sealed([own]), ["busy", "accepted", "accepted"])
    const { peer, heard } = holder(own)
    decryptions.join(peer, own)
    await settle()
    decryptions.leave(peer)
    decryptions.update()
    await clock.advance(60_000)
    expect(heard).toEqual(["asked", "busy"])
})

test("members that are not there are named, once for each tally", async () => {
    const own = identity(7)
    const { decryptions, unanswered } = asking(sealed([own, identity(8), identity(9)]), ["accepted"])
    const { peer, heard } = holder(own)
    decryptions.join(peer, own)
    decryptions.update()
    decryptions.update()
    await settle()
    expect(heard).toEqual(["asked", "receipt"])
    expect(unanswered).toEqual(["08 09: not connected"])
})

test("a member whose share comes after the others opened the round is told so, and not named as missing", async () => {
    const own = identity(7)
    const { clock, decryptions, unanswered, open } = asking(sealed([own, identity(8)]), ["no-tally"])
    const { peer, heard } = holder(own)
    decryptions.join(peer, own)
    open()
    await clock.advance(60_000)
    expect(heard).toEqual(["asked", "no-tally"])
    expect(unanswered).toEqual([])
})

/**
 * A party's entropy node: 64 bytes for each contribution, with a statement that the node signed for it. One for all
 * parties of the process. What it gives is checked before it is used, and nothing of it is logged.
 */
import { equalBytes, fromHex } from "@tallylight/crypto/bytes.js"
import { drawAnswer, drawPath, drawRequestJson } from "@tallylight/node/draw-exchange.js"
import type { DrawAnswer } from "@tallylight/node/draw-exchange.js"
import { hasEntropyNodes } from "@tallylight/protocol/chain/genesis.js"
import { judge } from "@tallylight/protocol/ledger/judge.js"
import type { ChainState, Genesis, OpenRound } from "@tallylight/protocol/ledger/state.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { contextOf } from "@tallylight/protocol/round/context.js"
import type { RoundContext } from "@tallylight/protocol/round/context.js"
import { makeAbsence, parseStatement, statementClaims } from "@tallylight/protocol/round/statement.js"
import type { EntropyStatement } from "@tallylight/protocol/round/statement.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { z } from "zod"
import { NoEntropy } from "./entropy.ts"
import type { Drawn, Entropy } from "./entropy.ts"
import { requestJson } from "./entropy-node-request.ts"
import type { Answered, EntropyNodeChannel } from "./entropy-node-request.ts"
import type { EntropyNodeSettings } from "./entropy-node-settings.ts"
import { Turns } from "./turns.ts"

export type EntropyNodeEvents = {
    /** It gives nothing, or gives it for another reason than before; told once, not for each draw. */
    readonly onFailing: (why: string) => void
    /** It gives again. */
    readonly onGiving: () => void
    /** An elected party contributes nothing as long as the node gives nothing; told once for each round. */
    readonly onStaysOut: (identity: Uint8Array, round: number) => void
}

/** What a party says in the ledger where it prefers a node and got nothing. Everybody reads it: no address, no detail. */
const reasons = {
    silent: "the entropy node does not answer",
    unready: "the entropy node says that it is not ready",
    refused: "the entropy node refuses to give bytes",
    malformed: "the entropy node answers something else",
    stranger: "what answers is not the entropy node that was configured",
    misdirected: "the entropy node's statement is not for this contribution",
} as const

class DrawFailed extends Error {
    override readonly name = "DrawFailed"
    readonly reason: keyof typeof reasons

    /** `detail` is for whoever runs the party. */
    constructor(reason: keyof typeof reasons, detail: string) {
        super(`${reasons[reason]}: ${detail}`)
        this.reason = reason
    }
}

/** A thousand parties of one process, all elected, ask one after the other. */
const atOnce = 8

/** What of a contribution window there always is, whatever the clock says. */
const leastMs = 1000

/** After a failure nobody asks for so long: those who waited for their turn would all wait again. */
const restMs = 500

export class EntropyNode implements Entropy {
    readonly #settings: EntropyNodeSettings
    readonly #channel: EntropyNodeChannel
    readonly #clock: Clock
    readonly #events: EntropyNodeEvents
    readonly #turns = new Turns(atOnce)
    #failed: { readonly error: DrawFailed; readonly at: number } | undefined
    /** By party, the last round in which it was told to stay out. */
    readonly #out = new WeakMap<Uint8Array, number>()

    constructor(
        settings: EntropyNodeSettings,
        channel: EntropyNodeChannel,
        clock: Clock,
        events: EntropyNodeEvents,
    ) {
        this.#settings = settings
        this.#channel = channel
        this.#clock = clock
        this.#events = events
    }

    async draw(state: ChainState, current: OpenRound, identity: Uint8Array): Promise<Drawn> {
        const { genesis, chain } = state
        // On a chain of version 1 nobody could read a statement.
        const say = (statement: Uint8Array) => (hasEntropyNodes(genesis) ? statement : new Uint8Array())
        try {
            const limitMs = this.#limit(genesis.parameters, current)
            const { bytes, statement } = await this.#ask(contextOf(chain, current), identity, limitMs)
            return { fromNode: bytes, statement: say(statement) }
        } catch (error) {
            if (!(error instanceof DrawFailed)) throw error
            const reason = reasons[error.reason]
            if (this.#settings.mode === "preferred")
                return { fromNode: new Uint8Array(), statement: say(makeAbsence(reason)) }
            this.#stayOut(identity, current.round)
            throw new NoEntropy(reason)
        }
    }

    /** Half of the time that is left to contribute: the other half is for contributing without the node. */
    #limit({ contributionWindowMs }: Genesis["parameters"], { closesAt }: OpenRound): number {
        const leftMs = Math.min(contributionWindowMs, closesAt - this.#clock.now())
        // Where this clock is ahead of the ledger's, nothing seems to be left, and a node may answer at once.
        return Math.max(leftMs, Math.min(contributionWindowMs, leastMs)) / 2
    }

    #stayOut(identity: Uint8Array, round: number): void {
        if (this.#out.get(identity) === round) return
        this.#out.set(identity, round)
        this.#events.onStaysOut(identity, round)
    }

    async #ask(context: RoundContext, identity: Uint8Array, limitMs: number): Promise<DrawAnswer> {
        const begun = this.#clock.elapsed()
        return this.#turns.take(async () => {
            const now = this.#clock.elapsed()
            if (this.#failed !== undefined && now - this.#failed.at < restMs) throw this.#failed.error
            try {
                const leftMs = Math.floor(Math.min(this.#settings.timeoutMs, limitMs - (now - begun)))
                if (leftMs < 1) throw new DrawFailed("silent", "others were asking for too long")
                const drawn = await this.#drawNow(context, identity, AbortSignal.timeout(leftMs))
                if (this.#failed !== undefined) this.#events.onGiving()
                this.#failed = undefined
                return drawn
            } catch (error) {
                if (error instanceof DrawFailed) this.#noteFailure(error)
                throw error
            }
        })
    }

    #noteFailure(error: DrawFailed): void {
        const isNew = this.#failed?.error.reason !== error.reason
        this.#failed = { error, at: this.#clock.elapsed() }
        if (isNew) this.#events.onFailing(error.message)
    }

    async #drawNow(context: RoundContext, identity: Uint8Array, signal: AbortSignal): Promise<DrawAnswer> {
        const request = drawRequestJson(context, identity)
        const answered = await requestJson(this.#channel, drawPath, signal, request).catch(
            (error: unknown) => {
                throw new DrawFailed("silent", error instanceof Error ? error.message : String(error))
            },
        )
        const answer = answerIn(answered)
        this.#requireOwn(answer.statement, context, identity)
        return answer
    }

    /** Of the pinned node, for that party in that round. */
    #requireOwn(statement: Uint8Array, context: RoundContext, identity: Uint8Array): void {
        const told = readStatement(statement)
        if (told?.of !== "node") throw new DrawFailed("malformed", "it signed no statement")
        const { node } = told.account
        if (!equalBytes(node, fromHex(this.#settings.identity)))
            throw new DrawFailed("stranger", "its identity is not the one in entropyNode.identity")
        const refused = judge(statementClaims(context, identity, statement))
        if (refused !== undefined)
            throw new DrawFailed(
                "misdirected",
                `its signature covers another one, or nothing (${refused.code})`,
            )
    }
}

function readStatement(bytes: Uint8Array): EntropyStatement | undefined {
    try {
        return parseStatement(bytes)
    } catch (error) {
        if (error instanceof Refusal) throw new DrawFailed("malformed", "its statement has no known form")
        throw error
    }
}

const problem = z.object({ detail: z.string() })

/** What does not parse is not shown: it may be bytes that nobody should read. */
function answerIn({ status, json }: Answered): DrawAnswer {
    if (status === 200) {
        const answer = drawAnswer.safeParse(json)
        if (answer.success) return answer.data
        const where = [...new Set(answer.error.issues.map(({ path }) => path.join(".")))].join(", ")
        throw new DrawFailed("malformed", `no bytes and statement as POST ${drawPath} has them (${where})`)
    }
    const told = problem.safeParse(json)
    const detail = told.success ? `: ${told.data.detail.slice(0, 300).replace(/\p{C}/gu, "?")}` : ""
    throw new DrawFailed(status === 503 ? "unready" : "refused", `it answers ${status}${detail}`)
}

import type { Message } from "./messages.ts"
import type { Disposition, Facts, Refusal } from "./refusal.ts"

/** What a peer said no with. Its words are its own: the code may be one that this side does not know. */
export class PeerRefused extends Error {
    override readonly name = "PeerRefused"
    readonly code: string
    readonly action: Disposition
    readonly facts: Facts
    readonly detail: string

    constructor({ code, action, facts, detail }: Message<"RespError">) {
        super(`${code}: ${detail}`)
        this.code = code
        this.action = action
        this.facts = facts
        this.detail = detail
    }
}

/** Nobody said anything: the connection ended, or the answer took too long. */
export class Unanswered extends Error {
    override readonly name = "Unanswered"
}

/** The connection is there, and the answer took too long. */
export class TimedOut extends Unanswered {}

export function respError(refusal: Refusal): Message<"RespError"> {
    const facts = Object.entries(refusal.facts).map(
        ([name, fact]) => [name, typeof fact === "string" ? line(fact, 256) : fact] as const,
    )
    return {
        code: refusal.code,
        action: refusal.disposition,
        facts: Object.fromEntries(facts),
        // The code has a field of its own.
        detail: line(refusal.message.slice(`${refusal.code}: `.length), 512),
    }
}

/** The text as a RespError may carry it; a surrogate pair cut in half would be no UTF-8. */
function line(text: string, most: number): string {
    return text
        .replace(/[\p{Cc}\p{Cs}\ufeff]/gu, " ")
        .slice(0, most)
        .replace(/[\ud800-\udbff]$/, "")
}

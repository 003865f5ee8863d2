/** What `verify` counted of entropy nodes: what they say of contributions' entropy, and the pulses that they owed. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Report } from "@tallylight/protocol/verify/audit.js"
import { amount } from "./amount.ts"
import type { Colors } from "./terminal.ts"

/** Identities are hexadecimal, as those of the ledger's entries. */
export type EntropyJson = {
    /** What contributions say of their entropy: signed by whom it names, and no more than their word. */
    readonly testimony: {
        readonly nodes: readonly {
            readonly identity: string
            readonly registered: boolean
            readonly contributions: number
            readonly simulated: number
            readonly failedSources: number
        }[]
        readonly withoutNode: number
        readonly withoutStatement: number
    }
    readonly pulses: readonly {
        readonly identity: string
        readonly hardware: boolean
        readonly registered: boolean
        readonly pulses: number
        readonly bound: number
        readonly notBound: number
        /** The first round whose pulse gives no Z. */
        readonly firstNotBound: number | null
        readonly missed: number
        /** The round of the pulse before which a beacon was first passed over. */
        readonly firstMissedBefore: number | null
        /** Pulses whose time is not between those of their beacon and of their entry. */
        readonly misdated: number
        /** The round of the first of them. */
        readonly firstMisdated: number | null
        readonly unsigned: number
    }[]
}

export function entropyJson({ testimony, pulses }: Report): EntropyJson {
    const { nodes, absences, silent } = testimony
    return {
        testimony: {
            nodes: nodes.map(({ identity, registered, contributions, simulated, failed }) => ({
                ...{ identity: toHex(identity), registered, contributions },
                ...{ simulated, failedSources: failed },
            })),
            withoutNode: absences,
            withoutStatement: silent,
        },
        pulses: pulses.map(
            ({ identity, hardware, registered, pulses, bound, unbound, missed, misdated, unsigned }) => ({
                ...{ identity: toHex(identity), hardware, registered, pulses, bound },
                ...{ notBound: unbound.count, firstNotBound: unbound.first?.round ?? null },
                ...{ missed: missed.count, firstMissedBefore: missed.first?.round ?? null },
                ...{ misdated: misdated.count, firstMisdated: misdated.first?.round ?? null, unsigned },
            }),
        ),
    }
}

/** A party may name a node of its own making in each contribution. */
const mostNodes = 20

/** None where nobody said anything. */
export function entropyLines({ testimony, pulses }: EntropyJson, { dim, yellow }: Colors): string[] {
    const { nodes, withoutNode, withoutStatement } = testimony
    const statements = [
        ...nodes.map(({ identity, registered, contributions, simulated, failedSources }) => {
            const who = `node ${identity.slice(0, 8)}${registered ? "" : ", not registered"}`
            const doubts = `${simulated} with simulated hardware, ${failedSources} with sources that failed`
            return `testimony  ${who}: ${amount(contributions, "contribution")}, ${doubts}`
        }),
        ...(withoutNode > 0
            ? [`testimony  ${amount(withoutNode, "contribution")} without the node that was to be asked`]
            : []),
    ]
    const owed = pulses.map((node) => {
        const { identity, hardware, pulses, bound, notBound, firstNotBound, missed, misdated, unsigned } =
            node
        const key = hardware ? "hardware, as it says" : "simulated"
        const parts = [
            `${bound} bound`,
            notBound === 0 ? "" : yellow(`${notBound} not bound, the first of round ${firstNotBound ?? ""}`),
            missed === 0
                ? ""
                : yellow(
                      `${amount(missed, "beacon")} missed, first before round ${node.firstMissedBefore ?? ""}`,
                  ),
            misdated === 0
                ? ""
                : yellow(
                      `${misdated} with an impossible time, the first of round ${node.firstMisdated ?? ""}`,
                  ),
            unsigned === 0 ? "" : `${amount(unsigned, "beacon")} not signed yet`,
        ]
        const counts = parts.filter((part) => part !== "").join(", ")
        return `pulses     node ${identity.slice(0, 8)}, ${key}: ${amount(pulses, "pulse")}, ${counts}`
    })
    return [
        ...capped(statements),
        ...(statements.length === 0
            ? []
            : [
                  `testimony  ${amount(withoutStatement, "contribution")} with no statement`,
                  dim(
                      "           statements are testimony, not proof: who signed is verified, not what is said",
                  ),
              ]),
        ...capped(owed),
        ...(statements.length + owed.length > 0 ? [""] : []),
    ]
}

function capped(lines: readonly string[]): string[] {
    if (lines.length <= mostNodes) return [...lines]
    return [...lines.slice(0, mostNodes), `… and ${lines.length - mostNodes} more; --json names them`]
}

/** A committee as its members know it: the plan that they agreed on and the parts that they signed. All of it is public. */
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { CommitteePlan } from "@tallylight/protocol/chain/requester.js"
import type { CommitteeMember } from "@tallylight/protocol/ledger/entry.js"
import { maxMembers } from "@tallylight/protocol/wire/messages.js"
import { z } from "zod"

export type Committee = {
    /** For which the members signed. */
    readonly chain: Uint8Array
    readonly plan: CommitteePlan
    readonly members: readonly CommitteeMember[]
}

const bytes = (length: number) =>
    z
        .string()
        .regex(new RegExp(`^[0-9a-f]{${2 * length}}$`))
        .transform(fromHex)

const shape = z.strictObject({
    format: z.literal(1),
    chain: bytes(32),
    /** The identity under which the committee's rounds are asked for. */
    requester: bytes(32),
    dealt: z.boolean(),
    /** As many as members are needed to open a round. */
    commitments: z.array(bytes(32)).min(1).max(maxMembers),
    members: z
        .array(z.strictObject({ identity: bytes(32), A: bytes(32), s: bytes(32), signature: bytes(64) }))
        .min(1)
        .max(maxMembers),
})

export function committeeText({ chain, plan, members }: Committee): string {
    const json: z.input<typeof shape> = {
        format: 1,
        chain: toHex(chain),
        requester: toHex(plan.identity),
        dealt: plan.dealt,
        commitments: plan.commitments.map(toHex),
        members: members.map(({ identity, A, s, signature }) => ({
            ...{ identity: toHex(identity), A: toHex(A), s: toHex(s), signature: toHex(signature) },
        })),
    }
    return `${JSON.stringify(json, undefined, 2)}\n`
}

/** Rejects with a {@link UserError} what `committeeText` does not make; `path` is for its sentence. */
export function parseCommittee(text: string, path: string): Committee {
    const parsed = shape.safeParse(parseJson(text))
    if (!parsed.success)
        throw new UserError(`${path} is damaged: copy it again from another member, all have the same one`)
    const { chain, requester: identity, dealt, commitments, members } = parsed.data
    const identities = members.map((member) => member.identity)
    return { chain, plan: { identity, dealt, commitments, identities }, members }
}

function parseJson(text: string): unknown {
    try {
        return JSON.parse(text) as unknown
    } catch (error) {
        if (error instanceof SyntaxError) return undefined
        throw error
    }
}

/** Such as 2/3. */
export function quorumOf({ plan }: Committee): string {
    return `${plan.commitments.length}/${plan.identities.length}`
}

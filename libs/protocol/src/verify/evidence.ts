/**
 * What convicts a PDL in the eyes of a third person who has nothing but a file (PROTOCOL.md §6.6): a receipt that its
 * log breaks, or two histories. Nothing here is taken on the accuser's word.
 */
import { equalBytes, fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { verifyConsistency, verifyInclusion } from "@tallylight/crypto/merkle-proof.js"
import { z } from "zod"
import { decodeEntry, encodeEntry } from "../ledger/entry.ts"
import { verifyReceipt } from "../ledger/receipt.ts"
import type { Genesis } from "../ledger/state.ts"
import { Refusal } from "../wire/refusal.ts"

const hash = z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .transform(fromHex)
const accused = {
    says: z.string(),
    chain: hash,
    genesis: z
        .string()
        .regex(/^([0-9a-f]{2}){1,65535}$/)
        .transform(fromHex),
}
const note = z.string().max(16_384)

const brokenReceipt = z.object({
    ...accused,
    kind: z.literal("broken-receipt"),
    receipt: z.object({
        index: z.int().min(0),
        leaf: hash,
        time: z.int().min(0),
        signature: z
            .string()
            .regex(/^[0-9a-f]{128}$/)
            .transform(fromHex),
    }),
    found: hash,
    checkpoint: note,
    inclusion: z.array(hash).max(64).nullable(),
})

const twoHistories = z.object({
    ...accused,
    kind: z.literal("two-histories"),
    checkpoints: z.tuple([note, note]),
    prefix: hash.nullable(),
    consistency: z.array(hash).max(128).nullable(),
})

export const evidenceFile = z.discriminatedUnion("kind", [brokenReceipt, twoHistories])
export type Evidence = z.output<typeof evidenceFile>

/** That the larger of two signed trees begins with `prefix`, which is not the smaller one. */
export type DivergenceProof = {
    readonly prefix: Uint8Array
    readonly consistency: readonly Uint8Array[]
}

/** The evidence as a file for the world. Without a proof it convicts nobody, unless both trees have the same size. */
export function describeTwoHistories(
    genesis: Genesis,
    checkpoints: readonly [string, string],
    proof: DivergenceProof | undefined,
) {
    const bytes = encodeEntry(genesis)
    return {
        kind: "two-histories" as const,
        says: "The PDL signed two checkpoints of one ledger, neither of which extends the other.",
        chain: toHex(sha256(bytes)),
        genesis: toHex(bytes),
        checkpoints,
        prefix: proof === undefined ? null : toHex(proof.prefix),
        consistency: proof?.consistency.map(toHex) ?? null,
    }
}

export type Claim = { readonly says: string; readonly holds: boolean }
export type Finding = {
    readonly chain: string
    readonly convicts: boolean
    readonly claims: readonly Claim[]
}

/** Every claim that the accusation rests on. It convicts iff all of them hold. Throws a Refusal where `genesis` is none. */
export function judgeEvidence(evidence: Evidence): Finding {
    const genesis = decodeEntry(evidence.genesis)
    if (genesis.kind !== "genesis") throw new Refusal("bad-genesis")
    const chain = toHex(evidence.chain)
    const named: Claim = {
        says: `the genesis entry has the chain's id ${chain}, and names the keys`,
        holds: equalBytes(sha256(evidence.genesis), evidence.chain),
    }
    const accusation =
        evidence.kind === "broken-receipt"
            ? receiptClaims(evidence, genesis)
            : historyClaims(evidence, genesis)
    const claims = [named, ...accusation]
    return { chain, convicts: claims.every(({ holds }) => holds), claims }
}

function receiptClaims(evidence: z.output<typeof brokenReceipt>, genesis: Genesis): Claim[] {
    const { chain, receipt, found, inclusion } = evidence
    const { index, leaf } = receipt
    const { claim, checkpoint } = signed(evidence.checkpoint, genesis)
    const proved =
        checkpoint !== undefined &&
        inclusion !== null &&
        verifyInclusion({
            index,
            size: checkpoint.size,
            leaf: found,
            proof: inclusion,
            root: checkpoint.root,
        })
    return [
        {
            says: `the message key ${toHex(genesis.messageKey)} signed that entry ${index} is ${toHex(leaf)}`,
            holds: isAccepted(() => verifyReceipt(chain, genesis.messageKey, receipt)),
        },
        claim,
        { says: `under that root entry ${index} is ${toHex(found)}`, holds: proved },
        { says: "these are two different entries", holds: !equalBytes(found, leaf) },
    ]
}

function historyClaims(evidence: z.output<typeof twoHistories>, genesis: Genesis): Claim[] {
    const [first, second] = evidence.checkpoints.map((text) => signed(text, genesis))
    if (first === undefined || second === undefined) throw new TypeError("a tuple of two has two")
    const claims = [first.claim, second.claim]
    if (first.checkpoint === undefined || second.checkpoint === undefined) return claims
    const [smaller, larger] = [first.checkpoint, second.checkpoint].sort((a, b) => a.size - b.size) as [
        Checkpoint,
        Checkpoint,
    ]
    const [from, to] = [smaller.size, larger.size]
    if (from === to)
        return [...claims, { says: "these roots differ", holds: !equalBytes(smaller.root, larger.root) }]
    const { prefix, consistency: proof } = evidence
    const proved =
        prefix !== null &&
        proof !== null &&
        verifyConsistency({ from, to, fromRoot: prefix, toRoot: larger.root, proof })
    return [
        ...claims,
        {
            says: `the first ${from} of those ${to} entries have the root ${prefix === null ? "(no proof)" : toHex(prefix)}`,
            holds: proved,
        },
        {
            says: `that is not the root which was signed for ${from} entries`,
            holds: prefix !== null && !equalBytes(prefix, smaller.root),
        },
    ]
}

function signed(
    text: string,
    { origin, ledgerKey }: Genesis,
): { readonly claim: Claim; readonly checkpoint: Checkpoint | undefined } {
    const checkpoint = openCheckpoint(text, { origin, publicKey: ledgerKey })
    const what =
        checkpoint === undefined
            ? "one of the checkpoints"
            : `that ${checkpoint.size} entries have the root ${toHex(checkpoint.root)}`
    return {
        claim: {
            says: `the ledger key ${toHex(ledgerKey)} of ${origin} signed ${what}`,
            holds: checkpoint !== undefined,
        },
        checkpoint,
    }
}

function isAccepted(verify: () => void): boolean {
    try {
        verify()
        return true
    } catch (error) {
        if (error instanceof Refusal) return false
        throw error
    }
}

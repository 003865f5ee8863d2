// Inclusion and consistency proofs, RFC 9162 §2.1.3 and §2.1.4. Sizes pass 2^32, so halving is division, not a shift.
import { equalBytes } from "./bytes.ts"
import { isHash, nodeHash } from "./merkle.ts"

/** The hash of the complete subtree of 2^level leaves whose first leaf is index·2^level. */
export type HashReader = (level: number, index: number) => Uint8Array

/** PATH(index, D[0:size]) of §2.1.3.1. */
export function inclusionProof(index: number, size: number, read: HashReader): Uint8Array[] {
    if (!isIndex(index, size)) throw new RangeError(`no leaf ${index} in a tree of ${size}`)
    const proof: Uint8Array[] = []
    let [begin, end] = [0, size]
    while (end - begin > 1) {
        const split = begin + leftWidth(end - begin)
        if (index < split) {
            proof.push(subtreeRoot(split, end, read))
            end = split
        } else {
            proof.push(subtreeRoot(begin, split, read))
            begin = split
        }
    }
    return proof.reverse()
}

/** PROOF(from, D[0:to]) of §2.1.4.1, which is defined for 0 < from <= to only. */
export function consistencyProof(from: number, to: number, read: HashReader): Uint8Array[] {
    if (!isPrefix(from, to)) throw new RangeError(`no consistency proof from ${from} to ${to}`)
    const proof: Uint8Array[] = []
    let [begin, end] = [0, to]
    while (from < end) {
        const split = begin + leftWidth(end - begin)
        if (from <= split) {
            proof.push(subtreeRoot(split, end, read))
            end = split
        } else {
            proof.push(subtreeRoot(begin, split, read))
            begin = split
        }
    }
    // SUBPROOF's flag b: where the old tree is a whole left subtree, the verifier has its root already.
    if (begin > 0) proof.push(subtreeRoot(begin, end, read))
    return proof.reverse()
}

/** §2.1.3.2, step by step in its letters. */
export function verifyInclusion(claim: {
    readonly index: number
    readonly size: number
    readonly leaf: Uint8Array
    readonly proof: readonly Uint8Array[]
    readonly root: Uint8Array
}): boolean {
    const { index, size, leaf, proof, root } = claim
    if (!isIndex(index, size) || ![leaf, root, ...proof].every(isHash)) return false
    let [fn, sn] = [index, size - 1]
    let r = leaf
    for (const p of proof) {
        if (sn === 0) return false
        if (fn % 2 === 1 || fn === sn) {
            r = nodeHash(p, r)
            while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
        } else {
            r = nodeHash(r, p)
        }
        ;[fn, sn] = [half(fn), half(sn)]
    }
    return sn === 0 && equalBytes(r, root)
}

/** §2.1.4.2. From the empty tree everything is consistent, which proves nothing: refused. */
export function verifyConsistency(claim: {
    readonly from: number
    readonly to: number
    readonly fromRoot: Uint8Array
    readonly toRoot: Uint8Array
    readonly proof: readonly Uint8Array[]
}): boolean {
    const { from, to, fromRoot, toRoot, proof } = claim
    if (!isPrefix(from, to) || ![fromRoot, toRoot, ...proof].every(isHash)) return false
    if (from === to) return proof.length === 0 && equalBytes(fromRoot, toRoot)
    let [fn, sn] = [from - 1, to - 1]
    while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)]
    // Step 2: fn is zero here exactly when `from` is a power of two, a subtree whose root the proof leaves out.
    const [seed, ...path] = fn === 0 ? [fromRoot, ...proof] : proof
    if (seed === undefined) return false
    let [fr, sr] = [seed, seed]
    for (const c of path) {
        if (sn === 0) return false
        if (fn % 2 === 1 || fn === sn) {
            ;[fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)]
            while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
        } else {
            sr = nodeHash(sr, c)
        }
        ;[fn, sn] = [half(fn), half(sn)]
    }
    return sn === 0 && equalBytes(fr, fromRoot) && equalBytes(sr, toRoot)
}

function isIndex(index: number, size: number): boolean {
    return Number.isSafeInteger(index) && Number.isSafeInteger(size) && 0 <= index && index < size
}

function isPrefix(from: number, to: number): boolean {
    return Number.isSafeInteger(from) && Number.isSafeInteger(to) && 0 < from && from <= to
}

function half(n: number): number {
    return Math.floor(n / 2)
}

/** The largest power of two smaller than `width`. */
function leftWidth(width: number): number {
    let k = 1
    while (k * 2 < width) k *= 2
    return k
}

/** MTH(D[begin:end]) where `begin` is a multiple of every power of two up to the width, as in the recursion of §2.1.1. */
function subtreeRoot(begin: number, end: number, read: HashReader): Uint8Array {
    let [level, width] = [0, 1]
    while (width * 2 <= end - begin) [level, width] = [level + 1, width * 2]
    const left = read(level, begin / width)
    if (!isHash(left))
        throw new RangeError(`the hash at level ${level}, index ${begin / width} is not 32 bytes`)
    return begin + width === end ? left : nodeHash(left, subtreeRoot(begin + width, end, read))
}

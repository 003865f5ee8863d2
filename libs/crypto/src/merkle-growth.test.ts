import { expect, test } from "vitest"
import { Growth } from "./merkle-growth.ts"
import { verifyConsistency } from "./merkle-proof.ts"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "./merkle.ts"

const leaves = Array.from({ length: 70 }, (_, at) => leafHash(Uint8Array.of(at)))
const ranges = leaves.reduce((all, leaf) => [...all, appendLeaf(all.at(-1)!, leaf)], [emptyRange])

test("proves every smaller tree to be the beginning of every larger one, and no other tree", () => {
    for (let from = 1; from < ranges.length; from += 1) {
        const growth = new Growth(ranges[from]!)
        for (let to = from; to < ranges.length; to += 1) {
            const [fromRoot, toRoot] = [rangeRoot(ranges[from]!), rangeRoot(ranges[to]!)]
            const claim = { from, to, fromRoot, toRoot, proof: growth.proof() }
            expect(verifyConsistency(claim), `${from} to ${to}`).toBe(true)
            const otherRoot = rangeRoot(ranges[from - 1]!)
            expect(verifyConsistency({ ...claim, fromRoot: otherRoot }), `${from} to ${to}`).toBe(false)
            if (to < leaves.length) growth.append(leaves[to]!)
        }
    }
})

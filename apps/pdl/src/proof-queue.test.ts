import { expect, test } from "vitest"
import { ProofQueue } from "./proof-queue.ts"

/** A queue whose steps are run one after the other, each noting its job's name. */
function queue() {
    const ran: string[] = []
    const proofs = new ProofQueue(() => Promise.resolve())
    const job = (name: string, steps: number, during?: () => void) =>
        function* (): Generator<void, void> {
            for (let step = 1; step <= steps; step++) {
                ran.push(name)
                if (step === 1) during?.()
                if (step < steps) yield
            }
        }
    return { ran, proofs, job }
}

test("what a round waits for overtakes a long registration between two of its steps", async () => {
    const { ran, proofs, job } = queue()
    const later: Promise<void>[] = []
    const during = (): void => {
        later.push(proofs.verify(1, job("contribution", 1)), proofs.verify(0, job("share", 1)))
    }
    await proofs.verify(3, job("committee", 3, during))
    await Promise.all(later)
    expect(ran).toEqual(["committee", "share", "contribution", "committee", "committee"])
})

test("jobs of one rank are verified in the order of arrival, each to its end", async () => {
    const { ran, proofs, job } = queue()
    await Promise.all(["a", "b", "c"].map((name) => proofs.verify(2, job(name, 2))))
    expect(ran).toEqual(["a", "a", "b", "b", "c", "c"])
    await proofs.verify(2, job("d", 1))
    expect(ran.at(-1)).toBe("d")
})

test("a step that throws rejects its own job only", async () => {
    const { ran, proofs, job } = queue()
    const refused = proofs.verify(2, () => {
        throw new Error("no")
    })
    const next = proofs.verify(2, job("next", 1))
    await expect(refused).rejects.toThrow("no")
    await next
    expect(ran).toEqual(["next"])
})

test("counts for each rank what it would have to wait for", async () => {
    const { proofs, job } = queue()
    const jobs = ([3, 2, 1] as const).map((rank) => proofs.verify(rank, job("", 1)))
    expect(([0, 1, 2, 3] as const).map((rank) => proofs.ahead(rank))).toEqual([0, 1, 2, 3])
    await Promise.all(jobs)
    expect(proofs.ahead(3)).toBe(0)
})

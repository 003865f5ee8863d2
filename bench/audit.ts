/** A ledger audited from its first byte: every proof, signature and hash of the sample. */
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { honest } from "@tallylight/protocol/sample/mutant.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import { rateOfAll, ratio } from "./measure.ts"
import type { Row } from "./measure.ts"
import type { Table } from "./report.ts"

const repetitions = 7
/** The fold is so fast that once would measure the clock. */
const folds = 20

export async function auditSample(): Promise<Table> {
    const { entries, checkpoint } = honest(sampleLedger())
    const report = await audit({ entries: streamed(entries), checkpoint })
    const { state } = report
    if (!report.holds || state === undefined) throw new Error("the honest sample does not hold")
    const rounds = state.current === undefined ? state.rounds : state.rounds - 1
    const audited: number[] = []
    const folded: number[] = []
    for (let repetition = -1; repetition < repetitions; repetition++) {
        const whole = await rateOfAll(entries.length, async () => {
            await audit({ entries: streamed(entries), checkpoint })
        })
        const alone = await rateOfAll(entries.length * folds, async () => {
            for (let times = 0; times < folds; times++) await fold(entries)
        })
        // The first of all is for the compiler.
        if (repetition < 0) continue
        audited.push(whole)
        folded.push(alone)
    }
    const perRound = rounds / entries.length
    const rows: Row[] = [
        { what: "entries audited", unit: "/s", values: audited },
        { what: "rounds audited", unit: "/s", values: audited.map((rate) => rate * perRound) },
        { what: "entries decoded and folded, no proofs", unit: "/s", values: folded },
    ]
    return {
        name: "audit",
        says: `the sample ledger of ${entries.length} entries and ${rounds} finished rounds, 1 to 3 contributions in each`,
        rows: [...rows, ratio("folded / audited", rows[2], rows[0])],
    }
}

async function fold(entries: readonly Uint8Array[]): Promise<void> {
    let state: ChainState | undefined
    for await (const bytes of streamed(entries)) {
        const entry = decodeEntry(bytes)
        state = state === undefined ? begin(entry) : apply(state, entry)
    }
}

async function* streamed(entries: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    for (const entry of entries) yield await Promise.resolve(entry)
}

import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import type { Verifier } from "@tallylight/protocol/ports/verifier.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import { LedgerClock } from "../ledger/clock.ts"
import { LedgerWriter } from "../ledger/writer.ts"
import { Intake } from "../limits/intake.ts"
import { ProofPool } from "../proofs/pool.ts"
import { Acceptance } from "./acceptance.ts"

/** What becomes of the sample's first pulse where `meanwhile` happens to the state while its proof is verified. */
async function accepted(meanwhile: (state: ChainState) => ChainState): Promise<string> {
    const sample = sampleLedger()
    const at = sample.entries.findIndex(({ kind }) => kind === "pulse")
    const state = sample.states[at - 1]!
    const beacon = state.signable.at(-1)!
    const store = new MemoryStore()
    const { ledgerSeed, messageSeed } = sample.keys
    const { origin } = state.genesis
    const checkpoint = signCheckpoint({ origin, size: at, root: rangeRoot(state.range) }, ledgerSeed)
    const head = await store.append(
        await store.head(),
        sample.entries.slice(0, at).map(encodeEntry),
        checkpoint,
    )
    const clock = new ManualClock(sample.time)
    const ledgerClock = new LedgerClock(clock, state, () => undefined)
    const onFault = (error: unknown): never => {
        throw error
    }
    const writer = new LedgerWriter({
        ...{ store, state, head, ledgerSeed, clock: ledgerClock, onCommit: () => undefined, onFault },
    })
    const budget = { burst: 1000, perMinute: 1000 }
    const budgets = {
        registrations: budget,
        registrationsPerAddress: budget,
        renewalsPerIdentity: budget,
    }
    const thread = ownThread(() => Promise.resolve())
    const verifier: Verifier = {
        verify: async (claims) => {
            const refused = await thread.verify(claims)
            Object.assign(writer.state, meanwhile(writer.state))
            return refused
        },
    }
    const acceptance = new Acceptance({
        ...{ writer, backlog: 100, messageKey: seedSigner(messageSeed) },
        intake: new Intake({ ...budgets, queuedPerAddress: 9 }, clock, () => undefined),
        proofs: new ProofPool([verifier]).open(),
    })
    const pulse = sample.node.pulse(state, beacon, sample.time + 5)
    try {
        await acceptance.accept((time) => ({ ...pulse, kind: "pulse", time }), {})
        return "logged"
    } catch (error) {
        if (error instanceof Refusal) return error.code
        throw error
    }
}

test("a pulse is not logged under another key than the one that its proof was judged under", async () => {
    expect(await accepted((state) => state)).toBe("logged")
    // As a renewal that keeps the certificate's id and is logged meanwhile.
    const renewed = ({ nodes, ...state }: ChainState): ChainState => ({
        ...state,
        nodes: nodes.map((node) => ({ ...node, modulus: node.modulus.toReversed() })),
    })
    expect(await accepted(renewed)).toBe("busy")
})

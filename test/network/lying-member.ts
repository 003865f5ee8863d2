/** A committee's member that signs what it is asked for with another share than its own. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { openDataDir } from "@tallylight/node/data-dir.js"
import { Follower } from "@tallylight/node/follower.js"
import { makeLogger } from "@tallylight/node/logger.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { sealedRound } from "@tallylight/protocol/round/phase.js"
import { openTally } from "@tallylight/protocol/round/share.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import { readKeys } from "@tallylight/requester/keys.js"

/** Until `stop` aborts. */
export async function runLyingMember(data: string, url: string, stop: AbortSignal): Promise<void> {
    const dir = await openDataDir({ path: data, named: true, role: "requester" })
    const { signer, secret, membership } = await readKeys(dir)
    if (membership === undefined) throw new Error(`${data} is of no committee's member`)
    const moved = new Bell()
    let state: ChainState | undefined
    const seen = async (index: number): Promise<ChainState> => {
        while (state === undefined || state.range.size <= index) await moved.heard()
        return state
    }
    try {
        const log = makeLogger({ name: "liar", level: "silent" })
        const chain = toHex(membership.committee.chain)
        const follower = await Follower.start({
            ...{ server: { url, chain }, dir, log, stop },
            proves: () => false,
        })
        await follower.run({
            ...{ role: "requester", signer },
            handlers: {
                ReqDecryption: async ({ round, index }) => {
                    const state = await seen(index)
                    const own = {
                        member: membership.number,
                        signer,
                        secret: secret + 1n,
                        random: state.chain,
                    }
                    const share = openTally(state.chain, sealedRound(state, round), own)
                    return { identity: signer.publicKey, ...share }
                },
            },
            onSession: () => undefined,
            onSteps: (steps) => {
                state = steps.at(-1)?.after ?? state
                moved.ring()
            },
            onVerdict: () => undefined,
        })
    } finally {
        await dir.release()
    }
}

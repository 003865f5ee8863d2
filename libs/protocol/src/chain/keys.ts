import { nameOf } from "../ledger/state.ts"
import type { ChainState, Name, Registry } from "../ledger/state.ts"
import { require } from "../wire/refusal.ts"

/**
 * The chain's keys with `owner`'s identity and `keys` among them. A key belongs to the identity that registered
 * it first, for ever: one VRF key under two identities would draw two lots with one secret.
 */
export function claimKeys(state: ChainState, owner: Name, keys: readonly Uint8Array[]): Registry<Name> {
    const names = [owner, ...keys.map(nameOf)]
    require(new Set(names).size === names.length, "key-taken", { key: owner })
    const fresh = names.filter((key) => {
        const holder = state.keys.get(key)
        require(holder === undefined || holder === owner, "key-taken", { key })
        return holder === undefined
    })
    return state.keys.concat(fresh.map((key) => [key, owner] as const))
}

/** Who judges claims: a thread of its own, or the caller's. */
import type { Claim, Refused } from "../ledger/claim.ts"
import { judge } from "../ledger/judge.ts"

export interface Verifier {
    /**
     * What the first claim that does not hold is refused with; undefined where all hold. Judges them in the order in
     * which it is asked. Rejects with what it died of where it died over these claims; it lives again, and the
     * same may be asked once more.
     */
    verify(claims: readonly Claim[]): Promise<Refused | undefined>
}

/** In the caller's thread. `breathe` resolves once timers, sockets and other work had their turn. */
export function ownThread(breathe: () => Promise<void>): Verifier {
    return { verify: (claims) => breathe().then(() => judge(claims)) }
}

/** All attacks, against real servers: every honest twin passes, and every attack is stopped by what its entry names. */
import { ciphertexts } from "./ciphertexts.ts"
import { followers } from "./followers.ts"
import { audits } from "./ledger.ts"
import { neighbours } from "./neighbours.ts"
import { pulses } from "./pulses.ts"
import { expiries, registrations } from "./registrations.ts"
import { rounds, silences } from "./rounds.ts"
import { shares } from "./shares.ts"
import { sockets } from "./sockets.ts"
import { vrf } from "./vrf.ts"
import type { Group, Listed } from "./attack.ts"

/** On what rounds are made of: contributions, registrations, openings, and the histories of them. */
export const onRounds: readonly Group[] = [
    ...[vrf, ciphertexts, registrations, expiries, rounds, silences, shares, audits, followers],
]

/** On the servers themselves. Most of them wait for something to be cut. */
export const onServers: readonly Group[] = [sockets, pulses, neighbours]

export const groups: readonly Group[] = [...onRounds, ...onServers]

/** Rejects at the first attack that is not stopped, or not by what should stop it. */
export async function runAttacks(onStopped: (attack: Listed) => void = () => undefined): Promise<Listed[]> {
    const stopped: Listed[] = []
    for (const { attacks, open } of groups) {
        const { run, close } = await open()
        try {
            for (const attack of attacks) {
                await run(attack.name)
                stopped.push(attack)
                onStopped(attack)
            }
        } finally {
            await close()
        }
    }
    return stopped
}

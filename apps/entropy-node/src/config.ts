/** Everything that can be configured of an entropy node; config/entropy-node.jsonc is the same with comments. */
import { serverSettings } from "@tallylight/node/server-settings.js"
import { z } from "zod"
import { coreSettings } from "./core/settings.ts"
import { pkcs11Settings } from "./hsm/random-source.ts"
import { httpSettings } from "./http/settings.ts"
import { pulseSettings } from "./pulses/settings.ts"
import { atecc608aSettings } from "./sources/atecc608a/source.ts"
import { characterDeviceSettings } from "./sources/character-device-settings.ts"
import { qrngHttpSettings } from "./sources/qrng-http-settings.ts"

export const sourceSettings = z.discriminatedUnion("kind", [
    atecc608aSettings,
    characterDeviceSettings,
    pkcs11Settings,
    qrngHttpSettings,
])

export type SourceSettings = z.output<typeof sourceSettings>

/** A statement names at most sixteen sources, of which the operating system's is one. */
const mostSources = 15

export const entropyNodeConfig = z.strictObject({
    /** Those that count. The operating system's is mixed in beside them and needs no entry. */
    sources: z.array(sourceSettings).max(mostSources).default([]),
    core: coreSettings.prefault({}),
    http: httpSettings.prefault({}),
    pulses: pulseSettings.prefault({}),
    /** Chains of beacons that it follows and signs. */
    chains: z.array(z.strictObject(serverSettings)).max(64).default([]),
})

export type EntropyNodeConfig = z.output<typeof entropyNodeConfig>

/** The sentence for chains that are configured in vain; undefined where there are none. */
export function unsignedChains({ chains, pulses }: EntropyNodeConfig): string | undefined {
    if (chains.length === 0 || (pulses.enabled && pulses.rounds.enabled)) return undefined
    const off = pulses.enabled ? "pulses.rounds.enabled" : "pulses.enabled"
    return `chains are configured, and nothing signs for them: ${off} is false`
}

import { expect, test } from "vitest"
import { entropyNodeConfig, unsignedChains } from "./config.ts"

const chains = [{ url: "http://127.0.0.1:7710" }]

test.each([
    [{ chains }, undefined],
    [{ pulses: { enabled: false } }, undefined],
    [{ pulses: { rounds: { enabled: false } } }, undefined],
    [{ chains, pulses: { periodic: { enabled: false } } }, undefined],
    [{ chains, pulses: { enabled: false } }, "pulses.enabled is false"],
    [{ chains, pulses: { rounds: { enabled: false } } }, "pulses.rounds.enabled is false"],
])("chains for which nothing signs are told: %j", (settings, why) => {
    expect(unsignedChains(entropyNodeConfig.parse(settings))).toBe(
        why && `chains are configured, and nothing signs for them: ${why}`,
    )
})

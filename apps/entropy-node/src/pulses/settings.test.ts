import { describe, expect, test } from "vitest"

import { pulseSettings } from "./settings.ts"

describe("the settings of pulses", () => {
    test("are on, with NIST's period and a key in software, where nothing is said", () => {
        const found = pulseSettings.parse({})
        expect(found.enabled).toBe(true)
        expect(found.periodic).toStrictEqual({ enabled: true, periodMs: 60_000, chainIndex: 1 })
        expect(found.key).toStrictEqual({ kind: "software", file: "pulse-key.pem" })
    })

    test.each([
        [{ baseUrl: "https://beacon.example.org" }, true],
        [{ baseUrl: "https://beacon.example.org/" }, false],
        [{ baseUrl: "ftp://beacon.example.org" }, false],
        [{ baseUrl: "beacon.example.org" }, false],
        [{ subject: "CN=a, O=b" }, true],
        [{ subject: "a" }, false],
        [{ periodic: { periodMs: 1000 } }, true],
        [{ periodic: { periodMs: 999 } }, false],
        [{ periodic: { chainIndex: 0 } }, false],
        [{ key: { kind: "pkcs11" } }, false],
        [{ keys: {} }, false],
        [{ periodic: { chainIndex: 2 } }, false],
        [{ rounds: { chainIndex: 1 } }, false],
        [{ periodic: { chainIndex: 2 }, rounds: { chainIndex: 1 } }, true],
        [{ periodic: { chainIndex: 2, enabled: false } }, true],
        [{ periodic: { chainIndex: 2 }, rounds: { enabled: false } }, true],
    ])("%j: %s", (settings, expected) => {
        expect(pulseSettings.safeParse(settings).success).toBe(expected)
    })
})

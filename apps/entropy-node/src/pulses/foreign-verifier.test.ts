import { readFileSync } from "node:fs"

import { expect, test } from "vitest"

import { faultsAlone } from "./foreign-verifier.ts"
import type { ServedPulse } from "./foreign-verifier.ts"

type Vectors = {
    readonly certificates: Readonly<Record<string, { readonly pem: string }>>
    readonly cases: readonly { readonly id: string; readonly pulse: ServedPulse }[]
}

const path = new URL("../../../../test/vectors/beacon-pulses.json", import.meta.url)
const { certificates, cases } = JSON.parse(readFileSync(path, "utf8")) as Vectors

// Whoever judges the pulses made here judges those of NIST as everybody else does.
test.each([
    ["nist-c2-1921299", []],
    ["nist-c2-1921300", []],
    ["nist-c2-1925733", []],
    ["nist-c2-1925734", ["key size", "signature"]],
])("the foreign verifier finds in %s what is wrong with it", (name, faults) => {
    const pulse = cases.find(({ id }) => id === name)?.pulse
    if (pulse === undefined) throw new Error(`there is no ${name}`)
    expect(faultsAlone(pulse, certificates[pulse.certificateId]?.pem ?? "")).toStrictEqual(faults)
})

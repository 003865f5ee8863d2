/** Pulses of NIST's beacon verified per second on one core, and what of that the signature is. */
import { createPublicKey, verify } from "node:crypto"
import { verifyRsaSha512 } from "@tallylight/crypto/rsa.js"
import { parsePulse, pulseJson } from "@tallylight/protocol/pulse/json.js"
import { encodePulseMessage } from "@tallylight/protocol/pulse/pulse.js"
import { joinTrail } from "@tallylight/protocol/pulse/trail.js"
import { classify, verifyPulse } from "@tallylight/protocol/pulse/verify-pulse.js"
import { realCertificate, realPulse } from "../test/samples/pulses.ts"
import { rates, ratio } from "./measure.ts"
import type { Table } from "./report.ts"

const repetitions = 7
const msEach = 400

export function pulses(): Table {
    const [first, second] = [realPulse("nist-c2-1921299"), realPulse("nist-c2-1921300")]
    const certificate = realCertificate(second)
    const { key: rsaKey, pem } = certificate ?? {}
    if (certificate === undefined || rsaKey === undefined || pem === undefined)
        throw new Error("the vectors have its certificate")
    const before = joinTrail(first, first.outputValue)
    const json = pulseJson(second)
    const message = encodePulseMessage(second)
    const signature = second.signatureValue
    const key = createPublicKey(Buffer.from(pem))
    const rows = rates(
        [
            {
                what: "verified, whole, from its JSON",
                run: () =>
                    must(classify(verifyPulse(parsePulse(json), { before, certificate })) === "verified"),
            },
            {
                what: "  signature (RSA-4096)",
                run: () => must(verifyRsaSha512(rsaKey, message, signature)),
            },
            { what: "  parsed", run: () => must(parsePulse(json).kind === "pulse") },
            {
                what: "signature by node:crypto",
                run: () => must(verify("sha512", message, key, signature)),
            },
        ],
        repetitions,
        msEach,
    )
    return {
        name: "pulses",
        says: "two real pulses of NIST's chain 2, the second one verified after the first; one core",
        rows: [...rows, ratio("signature by node:crypto / here", rows[3], rows[1])],
    }
}

function must(holds: boolean): void {
    if (!holds) throw new Error("the real pulse does not verify")
}

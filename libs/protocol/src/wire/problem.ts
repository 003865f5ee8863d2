import type { z } from "zod"

import { DecodeError } from "./decode-error.ts"

/** The first thing wrong with a value, as in `ReqContribution.C: expected 32 bytes, got 31`. */
export function firstProblem(root: string, error: z.ZodError, id: number): DecodeError {
    const [issue] = error.issues
    if (issue === undefined) throw new Error("zod failed a value and named no issue", { cause: error })
    const steps = issue.path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    return new DecodeError(root + steps.join(""), describe(issue), id)
}

/** Never repeats the value: it is the sender's text, and it may be long. */
function describe(issue: z.core.$ZodIssue): string {
    switch (issue.code) {
        case "invalid_type":
            return `expected ${names[issue.expected] ?? issue.expected}, got ${sort(issue.input)}`
        case "invalid_value":
            return `expected one of ${issue.values.map(String).join(", ")}`
        case "invalid_union":
            return "has none of the forms that it may have"
        case "too_big":
            return `expected at most ${issue.maximum}${units[issue.origin] ?? ""}`
        case "too_small":
            return `expected at least ${issue.minimum}${units[issue.origin] ?? ""}`
        case "unrecognized_keys":
            // One is enough, and keys are short: the shape of the frame was checked before.
            return `unknown field ${issue.keys[0] ?? ""}`
        case "custom":
        case "invalid_format":
            return issue.message
        case "invalid_element":
        case "invalid_key":
        case "not_multiple_of":
            return "not of the form that it must have"
    }
}

const names: Readonly<Record<string, string>> = { object: "map", record: "map", int: "integer" }
const units: Readonly<Record<string, string>> = { string: " characters", array: " elements" }

function sort(value: unknown): string {
    if (value === undefined) return "nothing"
    if (value === null) return "nil"
    if (value instanceof Uint8Array) return "bytes"
    if (Array.isArray(value)) return "array"
    if (typeof value === "number") return String(value)
    return typeof value === "object" ? "map" : typeof value
}

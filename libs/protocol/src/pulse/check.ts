/** What is checked of a pulse, and what can come of it. */

/** Each with what it claims where it holds, in the order of reports. */
export const checkNames = {
    form: "it is a pulse of the format that runs, cipher suite 0",
    uri: "its uri names its chain and index, and the uris of its links earlier pulses of that chain",
    certificate: "the certificate is the one whose hash it carries",
    validity: "the certificate was valid at its time",
    "key-size": "its signature is as long as the key of the certificate",
    signature: "the certificate's key signed it",
    output: "its output value is the hash of its message and signature",
    index: "it is the next one of its chain",
    time: "it is later than the one before",
    period: "a period lies between them, or it says that there is a gap",
    previous: "it links to the one before",
    hour: "it links to the first one of that one's hour",
    day: "… of its day",
    month: "… of its month",
    year: "… of its year",
    "linked-pulses": "those pulses are there, with these outputs, and are the first ones",
    precommitment: "its local random value is the one that the pulse before committed to",
    status: "its status code says what happened, and nothing else",
    external: "the text that describes the source of its external value is there",
} as const

export type CheckName = keyof typeof checkNames

export type Verdict = "holds" | "broken" | "unchecked"

export type Check = {
    readonly name: CheckName
    readonly verdict: Verdict
    /** Why not, or what is remarkable; empty where there is nothing to say. */
    readonly reason: string
}

export function holds(name: CheckName, remark = ""): Check {
    return { name, verdict: "holds", reason: remark }
}

export function broken(name: CheckName, reason: string): Check {
    return { name, verdict: "broken", reason }
}

export function unchecked(name: CheckName, reason: string): Check {
    return { name, verdict: "unchecked", reason }
}

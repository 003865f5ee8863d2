import { describe, expect, test } from "vitest"
import { judgeStatus } from "./entropy-node-check.ts"
import type { SeenStatus } from "./entropy-node-check.ts"
import { addressOf, addressProblem, entropyNodeSettings } from "./entropy-node-settings.ts"

describe("the address of an entropy node", () => {
    test.each([
        "http://127.0.0.1:7730",
        "http://[::1]:7730",
        "http://localhost:7730/",
        "https://node.example",
        "https://node.example/behind/a/proxy",
        "unix:/run/tallylight/node.sock",
    ])("%s is taken", (url) => {
        expect(addressProblem(url)).toBeUndefined()
    })

    test.each([
        ["http://node.example:7730", "over plain HTTP everybody on the way to node.example"],
        ["http://10.0.0.1:7730", "over plain HTTP"],
        ["http://127.0.0.1.example.org", "over plain HTTP"],
        ["ftp://127.0.0.1", "is not spoken here"],
        ["unix:run/node.sock", "is no socket"],
        ["unix:", "is no socket"],
        ["127.0.0.1", "is no address"],
        ["https://user:secret@node.example", "a token belongs into tokenFile"],
        ["https://node.example/?token=secret", "a token belongs into tokenFile"],
    ])("%s is refused", (url, sentence) => {
        expect(addressProblem(url)).toContain(sentence)
        const parsed = entropyNodeSettings.safeParse({ url, identity: "ab".repeat(32) })
        expect(parsed.error?.issues.map(({ message }) => message)).toEqual([addressProblem(url)])
    })

    test("of a socket names its file", () => {
        expect(addressOf("unix:/run/node.sock")).toMatchObject({ socketPath: "/run/node.sock" })
        expect(addressOf("https://node.example/a").socketPath).toBeUndefined()
    })
})

test("a node is required unless the settings say otherwise, and none without its identity", () => {
    const url = "http://127.0.0.1:7730"
    expect(entropyNodeSettings.parse({ url, identity: "ab".repeat(32) })).toMatchObject({ mode: "required" })
    expect(entropyNodeSettings.safeParse({ url }).success).toBe(false)
    expect(entropyNodeSettings.safeParse({ url, identity: "ab" }).success).toBe(false)
})

describe("the doctor", () => {
    const identity = "ab".repeat(32)
    const settings = entropyNodeSettings.parse({ url: "http://127.0.0.1:7730", identity })
    const well: SeenStatus = {
        ...{ identity, simulated: false, unready: [] },
        sources: [{ name: "chip", state: "healthy", reason: "" }],
    }

    test("finds nothing wrong with a healthy node", () => {
        expect(judgeStatus(settings, well)).toEqual({
            verdict: "ok",
            says: "healthy at http://127.0.0.1:7730, chip",
        })
    })

    test.each([
        ["another node", { identity: "cd".repeat(32) }, "fail", "fail", "names abab"],
        ["a node that is not ready", { unready: ["chip is missing"] }, "fail", "warn", "chip is missing"],
        [
            "a source that is not healthy",
            { sources: [{ name: "chip", state: "failed", reason: "repetition" }] },
            ...(["warn", "warn", "chip is failed (repetition)"] as const),
        ],
        ["simulated hardware", { simulated: true }, "warn", "warn", "simulated"],
    ] as const)("tells %s", (_, changes, required, preferred, says) => {
        const status = {
            ...well,
            ...changes,
            sources: [...("sources" in changes ? changes.sources : well.sources)],
        }
        const seen = { ...status, unready: [...status.unready] }
        expect(judgeStatus(settings, seen)).toMatchObject({ verdict: required })
        expect(judgeStatus(settings, seen).says).toContain(says)
        expect(judgeStatus({ ...settings, mode: "preferred" }, seen)).toMatchObject({ verdict: preferred })
    })
})

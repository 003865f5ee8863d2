import { describe, expect, test } from "vitest"

import { run } from "../../../test/processes/run.ts"

describe("a logger", () => {
    test("writes JSON lines to standard error, without secrets", async () => {
        const { stdout, stderr } = await run("log.ts", "info", "false").ended
        expect(stdout).toBe("")
        const lines = stderr
            .split("\n")
            .slice(0, -1)
            .map((line) => JSON.parse(line) as unknown)
        expect(lines).toMatchObject([
            { name: "lamp", level: 30, msg: "round open", round: 7, keys: { id: "public" } },
            { name: "lamp", level: 40, msg: "late", peer: "p" },
        ])
        expect(stderr).not.toContain("SECRET")
    })

    test("writes for people on request, without secrets", async () => {
        const { stdout, stderr } = await run("log.ts", "debug", "true").ended
        expect(stdout).toBe("")
        expect(stderr).toMatch(/DEBUG.*details/)
        expect(stderr).toMatch(/INFO.*round open/)
        expect(stderr).not.toContain("SECRET")
    })

    test("is silent on request", async () => {
        expect(await run("log.ts", "silent").ended).toMatchObject({ code: 0, stdout: "", stderr: "" })
    })
})

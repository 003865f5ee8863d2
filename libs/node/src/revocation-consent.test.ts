import { PassThrough } from "node:stream"
import { toHex } from "@tallylight/crypto/bytes.js"
import { Command, CommanderError } from "commander"
import { describe, expect, test } from "vitest"
import { confirm, requireConsent } from "./revocation-consent.ts"

const identity = new Uint8Array(32).map((_, at) => 0xa0 + at)
const beginning = toHex(identity).slice(0, 8)

/** What came of an answer at the terminal, and what was shown there. */
async function asked(answer: string | undefined, stop = new AbortController()) {
    const [input, output] = [new PassThrough(), new PassThrough()]
    const asking = confirm("this ends it\n", identity, { input, output }, stop.signal)
    const outcome = asking.then(
        () => "agreed",
        (error: unknown) => (error instanceof Error ? error.message : error),
    )
    if (answer === undefined) input.end()
    else input.write(answer)
    return { outcome: await outcome, shown: String(output.read()) }
}

describe("a revocation at a terminal", () => {
    test("is asked about in full, and agreed to with the beginning of the identity", async () => {
        const { outcome, shown } = await asked(`${beginning}\n`)
        expect(outcome).toBe("agreed")
        expect(shown).toBe("this ends it\nType the first 8 characters of the identity to revoke it: ")
        expect((await asked(` ${beginning.toUpperCase()} \r\n`)).outcome).toBe("agreed")
    })

    test.each([
        ["another beginning", `${beginning.slice(0, 7)}0\n`],
        ["less of it", `${beginning.slice(0, 7)}\n`],
        ["all of it", `${toHex(identity)}\n`],
        ["yes", "yes\n"],
        ["nothing", "\n"],
        ["the end of the input", undefined],
    ])("is not made after %s", async (_, answer) => {
        expect((await asked(answer)).outcome).toContain("so it was not revoked")
    })

    test("is not made by who is told to stop", async () => {
        const stop = new AbortController()
        setImmediate(() => stop.abort(new Error("stopped")))
        expect((await asked("", stop)).outcome).toBe("stopped")
        expect((await asked(`${beginning}\n`, stop)).outcome).toBe("stopped")
    })
})

describe("without anybody to ask", () => {
    function consent(yes: boolean, isTTY: boolean): unknown {
        const command = new Command("revoke").exitOverride().configureOutput({ writeErr: () => undefined })
        const input = Object.assign(new PassThrough(), { isTTY })
        try {
            requireConsent(command, yes ? { yes } : {}, { input, output: new PassThrough() })
            return "goes on"
        } catch (error) {
            return error instanceof CommanderError ? error.message : error
        }
    }

    test("a revocation needs --yes", () => {
        expect(consent(true, false)).toBe("goes on")
        expect(consent(true, true)).toBe("goes on")
        expect(consent(false, true)).toBe("goes on")
        expect(consent(false, false)).toContain("add --yes")
    })
})

import { expect, test } from "vitest"
import { ruleBroken } from "./rules.ts"

test("a refused entry breaks the first rule that lists both its kind and the code", () => {
    expect(ruleBroken("genesis", "bad-key")).toBe("genesis")
    expect(ruleBroken("party-registration", "bad-key")).toBe("registration")
    expect(ruleBroken("ticket", "bad-vrf")).toBe("ticket")
    expect(ruleBroken("beacon", "bad-vrf")).toBe("output")
    expect(ruleBroken("share", "no-tally")).toBe("shares")
    expect(ruleBroken("beacon", "no-tally")).toBe("combination")
})

test("where nobody could read its kind, or no rule lists both, it breaks the first that lists the code", () => {
    expect(ruleBroken(undefined, "malformed-entry")).toBe("entries")
    expect(ruleBroken(undefined, "bad-vrf")).toBe("ticket")
    expect(ruleBroken("tally", "bad-vrf")).toBe("ticket")
})

test("with a code of no rule it is no entry of this protocol", () => {
    expect(ruleBroken("contribution", "busy")).toBe("entries")
})

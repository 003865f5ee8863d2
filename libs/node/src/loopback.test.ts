import { expect, test } from "vitest"

import { isLoopback } from "./loopback.ts"

test.each([
    ["127.0.0.1", true],
    ["127.1.2.3", true],
    ["::1", true],
    ["localhost", true],
    ["0.0.0.0", false],
    ["::", false],
    ["127.example.org", false],
    ["192.168.1.1", false],
])("%s is reached from this machine alone: %s", (host, alone) => {
    expect(isLoopback(host)).toBe(alone)
})

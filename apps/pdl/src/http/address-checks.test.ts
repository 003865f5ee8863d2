import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { examine } from "@tallylight/node/doctor.js"
import type { Check } from "@tallylight/node/doctor.js"
import { expect, test } from "vitest"
import { addressCheck } from "./address-checks.ts"

const never = new AbortController().signal

async function look(checks: readonly Check[]): Promise<Record<string, string>> {
    const found: Record<string, string> = {}
    for await (const { name, verdict, says } of examine(checks, never)) found[name] = `${verdict}: ${says}`
    return found
}

test("the address is free, or the server's own", async () => {
    const nobody = (): Promise<undefined> => Promise.resolve(undefined)
    const other = createServer((_, response) => response.writeHead(404).end())
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
    const { port } = other.address() as AddressInfo
    const here = { host: "127.0.0.1", port }
    expect((await look([addressCheck(here, nobody)])).address).toMatch(/^fail: the server could not listen/)
    expect((await look([addressCheck(here, () => Promise.resolve(1))])).address).toMatch(/^fail/)
    other.closeAllConnections()
    await new Promise((resolve) => other.close(resolve))
    expect((await look([addressCheck(here, nobody)])).address).toBe(`ok: port ${port} of 127.0.0.1 is free`)
})

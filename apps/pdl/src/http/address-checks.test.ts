import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { examine } from "@tallylight/node/doctor.js"
import type { Check } from "@tallylight/node/doctor.js"
import { expect, test } from "vitest"
import { addressCheck, metricsCheck } from "./address-checks.ts"

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

test("metrics have a port that is free, and is not the server's own", async () => {
    const nobody = (): Promise<undefined> => Promise.resolve(undefined)
    const other = createServer((_, response) => response.writeHead(404).end())
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
    const { port } = other.address() as AddressInfo
    const metrics = { enabled: true, host: "127.0.0.1", port }
    const found = async (own: { host: string; port: number }, holder: () => Promise<number | undefined>) =>
        (await look([metricsCheck({ ...own, metrics }, holder)])).metrics
    const elsewhere = { host: "127.0.0.1", port: 0 }
    expect(await found(elsewhere, nobody)).toMatch(/^fail: metrics could not be served/)
    expect(await found(elsewhere, () => Promise.resolve(1))).toMatch(/^fail: .* is not its metrics$/)
    other.closeAllConnections()
    await new Promise((resolve) => other.close(resolve))
    expect(await found(elsewhere, nobody)).toBe(`ok: port ${port} of 127.0.0.1 is free`)
    expect(await found(elsewhere, () => Promise.resolve(1))).toMatch(/^fail: .* nothing listens/)
    for (const host of ["127.0.0.1", "0.0.0.0"])
        expect(await found({ host, port }, nobody)).toMatch(/^fail: metrics could not be served/)
})

import type { IncomingMessage } from "node:http"
import { describe, expect, test } from "vitest"
import { ClientAddresses } from "./client-address.ts"

const addresses = new ClientAddresses({
    trustedProxies: ["fe80::1"],
    unlimitedAddresses: ["fe80:0:0:1::/64"],
})

// As Linux names them: a VLAN, a bridge. What throws here would end the server.
test.each(["fe80::2%eth0", "fe80::2%eth0.100", "fe80::2%br-lan"])(
    "%s is counted to its network",
    (address) => {
        expect(addresses.ofPeer(address)).toBe("fe80:0:0:0::/64")
    },
)

test("a link changes nothing about who is trusted or spared", () => {
    expect(addresses.ofPeer("fe80::1%br-lan")).toBeUndefined()
    expect(addresses.ofPeer("fe80:0:0:1::2%br-lan")).toBeUndefined()
})

describe("behind a proxy on the same machine", () => {
    const behind = new ClientAddresses({
        trustedProxies: ["127.0.0.1", "10.0.0.0/8"],
        unlimitedAddresses: ["127.0.0.0/8", "::1"],
    })

    function countedTo(
        forwarded: string,
        remoteAddress: string | undefined = "127.0.0.1",
    ): string | undefined {
        const request = { headers: { "x-forwarded-for": forwarded }, socket: { remoteAddress } }
        return behind.of(request as unknown as IncomingMessage)
    }

    test.each([
        ["192.0.2.1", "192.0.2.1"],
        ["192.0.2.1:4711", "192.0.2.1"],
        ["192.0.2.1:4711, 10.0.0.9:80", "192.0.2.1"],
        ["[2001:db8::1]:4711", "2001:db8:0:0::/64"],
        ["[2001:db8::1]", "2001:db8:0:0::/64"],
        ["::ffff:192.0.2.1", "192.0.2.1"],
    ])("%s is counted to %s", (forwarded, address) => {
        expect(countedTo(forwarded)).toBe(address)
    })

    test.each(["unknown", "_hidden", "192.0.2.1:", "[192.0.2.1", "[]:1", "localhost"])(
        "%s is limited, together with all others that are not named",
        (forwarded) => {
            expect(countedTo(forwarded)).toBe("unnamed")
        },
    )

    test("whoever is on that machine is not limited, with a port or without", () => {
        expect([countedTo("127.0.0.2"), countedTo("127.0.0.2:99"), countedTo("[::1]:99")]).toEqual([
            undefined,
            undefined,
            undefined,
        ])
    })

    test("a connection that is gone already is counted", () => {
        const request = { headers: { "x-forwarded-for": "192.0.2.1" }, socket: {} }
        expect(behind.of(request as unknown as IncomingMessage)).toBe("0:0:0:0::/64")
    })
})

import { expect, test } from "vitest"
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

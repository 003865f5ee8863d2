/** Whom the limits per address count a connection to. */
import { isIP } from "node:net"
import type { IncomingMessage } from "node:http"
import proxyAddr from "@fastify/proxy-addr"
import ipaddr from "ipaddr.js"

type Trust = (address: string | undefined, hop: number) => boolean

/** Everybody of whom a trusted proxy says no address, as in “unknown”. */
const unnamed = "unnamed"

export type AddressRules = {
    /** Addresses and ranges whose X-Forwarded-For is believed, for its last hop that is none of them. */
    readonly trustedProxies: readonly string[]
    /** Addresses and ranges to which limits per address do not apply. */
    readonly unlimitedAddresses: readonly string[]
}

export class ClientAddresses {
    readonly #trusts: Trust
    readonly #spares: Trust

    constructor({ trustedProxies, unlimitedAddresses }: AddressRules) {
        this.#trusts = anyOf(trustedProxies)
        this.#spares = anyOf(unlimitedAddresses)
    }

    /** Of whoever sent the request, through proxies or not; undefined for whom no limit per address binds. */
    of(request: IncomingMessage): string | undefined {
        const named: string | undefined = proxyAddr(request, this.#trusts)
        return this.#counted(named)
    }

    /** Of the other end of a connection that has said nothing yet; undefined also for a proxy. */
    ofPeer(remoteAddress: string | undefined): string | undefined {
        if (remoteAddress !== undefined && this.#trusts(remoteAddress, 0)) return undefined
        return this.#counted(remoteAddress)
    }

    /** A connection that is gone already has no address any more, and counts with all others of that sort. */
    #counted(address = "::"): string | undefined {
        if (isIP(bareAddress(address)) === 0) return unnamed
        return this.#spares(address, 0) ? undefined : addressGroup(address)
    }
}

function anyOf(ranges: readonly string[]): Trust {
    const trust = proxyAddr.compile([...ranges])
    return (address, hop) => trust(bareAddress(address), hop)
}

/**
 * Without the port that some proxies add, as in 192.0.2.1:4711 or [2001:db8::1]:4711, and without a zone. RFC 4007 §11:
 * the zone of a link-local address is this machine's name for a link, and br-lan is no name to ipaddr.
 */
function bareAddress(address = ""): string {
    const [, inBrackets, beforePort] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(address) ?? []
    return (inBrackets ?? beforePort ?? address).replace(/%.*/, "")
}

/**
 * An IPv4 address, also where it is written as IPv6; of IPv6 the first 64 bits, which is the least that anybody is
 * given: with limits for single addresses, everybody would have 2^64 times the limit.
 */
export function addressGroup(address: string): string {
    const parsed = ipaddr.process(bareAddress(address))
    if (parsed instanceof ipaddr.IPv4) return parsed.toString()
    return `${parsed.parts
        .slice(0, 4)
        .map((part) => part.toString(16))
        .join(":")}::/64`
}

/** Whether a configuration may name it: an address, or a range as in 10.0.0.0/8. */
export function isAddressRange(text: string): boolean {
    return isIP(text) !== 0 || (text.includes("/") && ipaddr.isValidCIDR(text))
}

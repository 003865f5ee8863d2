/**
 * Uris are text that a beacon chooses; what they say of chain and index must be what the pulse says itself. Those of
 * the links are not even signed.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { broken, holds } from "./check.ts"
import type { Check } from "./check.ts"
import { linkNames, noValue } from "./pulse.ts"
import type { LinkName, Pulse } from "./pulse.ts"

/** What comes before /chain/… in the pulse's uri; undefined where that does not name the pulse. */
export function uriBase({
    uri,
    chainIndex,
    pulseIndex,
}: Pick<Pulse, "uri" | "chainIndex" | "pulseIndex">): string | undefined {
    const end = `/chain/${chainIndex}/pulse/${pulseIndex}`
    return uri.endsWith(end) ? uri.slice(0, -end.length) : undefined
}

/** The index of the pulse that a link's uri names; undefined where it names none of the same chain. */
export function linkIndex(pulse: Pulse, name: LinkName): number | undefined {
    const base = uriBase(pulse)
    const uri = pulse.linkUris[name]
    const start = `${base ?? ""}/chain/${pulse.chainIndex}/pulse/`
    if (base === undefined || uri?.startsWith(start) !== true) return undefined
    const digits = uri.slice(start.length)
    return /^[1-9][0-9]{0,14}$/.test(digits) ? Number(digits) : undefined
}

export function checkUris(pulse: Pulse): Check {
    const { chainIndex, pulseIndex } = pulse
    if (uriBase(pulse) === undefined)
        return broken("uri", `it does not end in /chain/${chainIndex}/pulse/${pulseIndex}`)
    const wrong = linkNames.find((name) => !namesEarlier(pulse, name))
    if (wrong !== undefined)
        return broken("uri", `that of “${wrong}” does not name an earlier pulse of the chain`)
    const [previous, ...firsts] = linkNames.map((name) => linkIndex(pulse, name) ?? 0)
    if (previous !== undefined && previous !== 0 && previous !== pulseIndex - 1)
        return broken("uri", "that of “previous” names another pulse than the one before")
    // The first of an hour comes after that of its day, or is the same.
    const descending = [previous ?? 0, ...firsts].every(
        (index, at, all) => at === 0 || index <= (all[at - 1] ?? 0),
    )
    return descending
        ? holds("uri")
        : broken("uri", "those of hour, day, month and year are not in this order")
}

function namesEarlier(pulse: Pulse, name: LinkName): boolean {
    if (pulse.linkUris[name] === undefined) return equalBytes(pulse.links[name], noValue)
    const index = linkIndex(pulse, name)
    return index !== undefined && index < pulse.pulseIndex
}

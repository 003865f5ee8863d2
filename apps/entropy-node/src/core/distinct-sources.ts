/** Sources count one by one, so that none may be there twice. */
import { UserError } from "@tallylight/node/user-error.js"
import { systemName, type ConfiguredSource } from "./core.ts"

/** Throws a UserError for two of one name, or of one device: it would count as two that are healthy. */
export function refuseDoubles(sources: readonly Pick<ConfiguredSource, "name" | "device">[]): void {
    const names = sources.map(({ name }) => name)
    if (names.includes(systemName))
        throw new UserError(
            `${systemName} is what the operating system's source is called, which is mixed in anyway; ` +
                "give the other one another name",
        )
    const twice = names.find((name, at) => names.indexOf(name) !== at)
    if (twice !== undefined)
        throw new UserError(`two sources are called ${twice}; each needs a name of its own`)
    const seen = new Map<string, string>()
    for (const { name, device } of sources) {
        if (device === undefined) continue
        const other = seen.get(device)
        if (other !== undefined)
            throw new UserError(
                `the sources ${other} and ${name} are one device, which would count as two; take one of them out of ` +
                    "“sources”, or correct where its device is",
            )
        seen.set(device, name)
    }
}

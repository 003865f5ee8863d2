import { UserError } from "@tallylight/node/user-error.js"
import type { ChainFolder } from "./chain-folder.ts"

/** A copy of a chain's folder that is run beside it would sign a second history of that chain. */
export function refuseTwins(chains: readonly { readonly id: string; readonly folder: ChainFolder }[]): void {
    for (const [at, { id, folder }] of chains.entries()) {
        const twin = chains.slice(at + 1).find((other) => other.id === id)
        if (twin !== undefined)
            throw new UserError(
                `${folder.path} and ${twin.folder.path} are the same chain, which would get two histories; ` +
                    `move the older copy elsewhere`,
            )
    }
}

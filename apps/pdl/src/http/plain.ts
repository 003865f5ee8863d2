import { isLoopback } from "@tallylight/node/loopback.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { PdlConfig } from "../config.ts"

/** Everything is signed; but whoever is on the way of plain HTTP can hold back what he likes. */
export function refusePlain({ host, tls, allowPlain }: Pick<PdlConfig, "host" | "tls" | "allowPlain">): void {
    if (tls === undefined && !allowPlain && !isLoopback(host))
        throw new UserError(
            `other machines can reach ${host}, over plain HTTP; give --tls-cert and --tls-key, or --allow-plain ` +
                `where a proxy adds TLS`,
        )
}

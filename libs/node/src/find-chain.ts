/** Which chain of a ledger server is meant, and where its WebSocket is. */
import { fromHex } from "@tallylight/crypto/bytes.js"
import { z } from "zod"

import type { ChainAddress } from "./chain-address.ts"
import { fetchGenesis, requireLedgerKey } from "./chain-identity.ts"
import { fetchJson } from "./fetch-json.ts"
import { readAuthorities, type ServerSettings } from "./server-settings.ts"
import { UserError } from "./user-error.ts"

export class NoSuchChain extends UserError {}

/** Printed, so without control characters, which a terminal would obey. */
const name = z
    .string()
    .max(64)
    .regex(/^\P{C}*$/u)

const answer = z.object({
    chains: z.array(z.object({ id: z.string().regex(/^[0-9a-f]{64}$/), name })).max(1024),
})

const maxAnswerBytes = 1024 * 1024

const timeoutMs = 10_000

/**
 * Asks the server for its chains, and for its ledger key where one is given. Rejects with a {@link UserError} where the address or the chain is wrong, with a plain
 * Error where trying again may help.
 */
export async function findChain(
    { url, chain: wanted, ledgerKey, caFile }: ServerSettings,
    signal: AbortSignal,
): Promise<ChainAddress> {
    const base = httpAddress(url)
    if (wanted !== undefined && !/^[0-9a-f]{64}$/i.test(wanted))
        throw new UserError(`“${wanted}” is no chain id: 64 hexadecimal digits`)
    const ca = await readAuthorities(caFile)
    const list = `${base}/v1/chains`
    const found = await fetchJson(list, answer, { maxBytes: maxAnswerBytes, timeoutMs, signal, ca })
    if (found === undefined) throw new Error(`there is nothing at ${list}`)
    const { chains } = found
    const [first, second] = chains
    const chosen =
        wanted === undefined ? first : chains.find(({ id }) => id.toLowerCase() === wanted.toLowerCase())
    if (chosen === undefined) throw new NoSuchChain(`${base} has no chain ${wanted ?? "yet"}`)
    if (wanted === undefined && second !== undefined) {
        const names = chains.map(({ id, name }) => `  ${id} (${name})`).join("\n")
        throw new UserError(`${base} has several chains; name one with --chain:\n${names}`)
    }
    const { id: hex, name } = chosen
    const http = `${base}/v1/chains/${hex}`
    const socket = `${http.replace(/^http/, "ws")}/socket`
    const address = { id: fromHex(hex), hex, name, http, socket, ca }
    if (ledgerKey !== undefined) requireLedgerKey(await fetchGenesis(address, signal), ledgerKey, http)
    return address
}

/** Of the server, without a slash at its end. */
export function httpAddress(url: string): string {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    const scheme = parsed?.protocol.replace(/^ws/, "http")
    if (parsed === undefined || (scheme !== "http:" && scheme !== "https:"))
        throw new UserError(`“${url}” is no address of a ledger server, such as http://127.0.0.1:7710`)
    return `${scheme}//${parsed.host}${parsed.pathname.replace(/\/+$/, "")}`
}

/** Whose ledger a chain is: its id commits to the first entry, and that names the keys of the ledger server. */
import { equalBytes, fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { formatVerifierKey, noteKey, parseVerifierKey } from "@tallylight/crypto/note.js"
import { chainId } from "@tallylight/protocol/chain/genesis.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import { z } from "zod"

import type { ChainAddress } from "./chain-address.ts"
import { fetchJson } from "./fetch-json.ts"
import { UserError } from "./user-error.ts"

/** Of a genesis with all its witnesses, in hexadecimal and as fields, with room for more. */
const limits = { maxBytes: 1024 * 1024, timeoutMs: 10_000 }

const answer = z.object({ genesisBytes: z.string().regex(/^([0-9a-f]{2})+$/) })

/** Rejects unless it hashes to the chain's id, so whoever knows the id need not believe the server. */
export async function fetchGenesis(address: ChainAddress, signal: AbortSignal): Promise<Genesis> {
    const { http, id, ca } = address
    const found = await fetchJson(http, answer, { ...limits, signal, ca })
    if (found === undefined) throw new Error(`there is nothing at ${http}`)
    const entry = decode(fromHex(found.genesisBytes))
    if (entry?.kind !== "genesis" || !equalBytes(chainId(entry), id))
        throw new UserError(`${http} shows a first entry that does not hash to the id of its chain`)
    return entry
}

/** The ledger key as tools for signed notes take it (C2SP signed-note): name, hash and base64. */
export function verifierKeyOf({ origin, ledgerKey }: Genesis): string {
    return formatVerifierKey({ name: origin, type: noteKey, publicKey: ledgerKey })
}

/** `expected` as a person wrote it down: 64 hexadecimal digits, or a verifier key, which names the log as well. */
export function requireLedgerKey(genesis: Genesis, expected: string, where: string): void {
    const { origin, ledgerKey } = genesis
    const hex = /^[0-9a-f]{64}$/i.test(expected)
    const key = hex ? undefined : parseVerifierKey(expected)
    if (!hex && key?.type !== noteKey)
        throw new UserError(
            `“${expected}” is no ledger key: 64 hexadecimal digits, or a verifier key name+hash+base64`,
        )
    const same = hex
        ? toHex(ledgerKey) === expected.toLowerCase()
        : key?.name === origin && equalBytes(key.publicKey, ledgerKey)
    if (!same)
        throw new UserError(
            `the ledger at ${where} is signed with ${verifierKeyOf(genesis)} (${toHex(ledgerKey)}), and not with the ` +
                `key that was given; compare both with what its operator publishes, and use neither before they agree`,
        )
}

function decode(bytes: Uint8Array): ReturnType<typeof decodeEntry> | undefined {
    try {
        return decodeEntry(bytes)
    } catch {
        return undefined
    }
}

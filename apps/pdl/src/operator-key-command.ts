/** `pdl operator-key`: the key with which a chain's operator admits parties, made where the operator keeps it. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { Command } from "commander"
import { createOperatorKey } from "./operator/key.ts"

export function operatorKeyCommand(): Command {
    return new Command("operator-key")
        .description("make the key of a chain's operator, on a machine that is not the ledger server's")
        .requiredOption("--out <file>", "the key file to make; it is never overwritten")
        .action(async ({ out }: { readonly out: string }) => {
            const key = toHex(await createOperatorKey(out))
            process.stdout.write(`${key}\n`)
            process.stderr.write(
                `made ${out}, which admits and removes parties: keep it to yourself, with a copy offline\n` +
                    `the line above is its public key, for chain.operatorKey in the configuration of \`pdl init\`\n`,
            )
        })
}

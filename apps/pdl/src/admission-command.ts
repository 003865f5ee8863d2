/** `pdl admit`, `pdl remove` and `pdl admitted`: the operator's list of parties. */
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { isEd25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { addOptions } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { findChain } from "@tallylight/node/find-chain.js"
import { Follower } from "@tallylight/node/follower.js"
import { readKeyFile } from "@tallylight/node/key-files.js"
import { makeLogger } from "@tallylight/node/logger.js"
import type { Logger } from "@tallylight/node/logger.js"
import { UserError } from "@tallylight/node/user-error.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { Command, InvalidArgumentError } from "commander"
import { pdlConfig } from "./config.ts"
import { AdmissionList } from "./operator/admission-list.ts"
import type { Listed } from "./operator/admission-list.ts"

type Options = CommonOptions & { readonly json?: true }
type DecideOptions = Options & { readonly operatorKey: string }

/** What decides who is on the list, and, for those who only look, who of them is registered. */
const signed: ReadonlySet<EntryKind> = new Set(["genesis", "admission"])
const shown: ReadonlySet<EntryKind> = new Set([...signed, "party-registration", "revocation"])

export function admissionCommands(stop: AbortSignal): Command[] {
    return [decideCommand(stop, true), decideCommand(stop, false), admittedCommand(stop)]
}

function decideCommand(stop: AbortSignal, admitted: boolean): Command {
    const command = new Command(admitted ? "admit" : "remove")
        .description(
            admitted
                ? "let parties of a listed chain register, by their identities"
                : "keep parties of a listed chain from all rounds that are requested from now on",
        )
        .argument(
            "<identity...>",
            "64 hexadecimal digits each, as `identity` of a party or an entropy node prints them",
            parseIdentity,
        )
        .requiredOption("--operator-key <file>", "the operator's key file, made by operator-key or init")
        .action(async (identities: Uint8Array[], _: unknown, self: Command) =>
            decide(identities, admitted, self.optsWithGlobals<DecideOptions>(), stop),
        )
    return addOptions(command, "chain", "ledgerKey", "ca")
}

function admittedCommand(stop: AbortSignal): Command {
    const command = new Command("admitted")
        .description("list the parties that the operator has admitted, from the verified ledger")
        .action(async (_: unknown, self: Command) => list(self.optsWithGlobals<Options>(), stop))
    return addOptions(command, "chain", "ledgerKey", "ca")
}

async function decide(
    identities: readonly Uint8Array[],
    admitted: boolean,
    options: DecideOptions,
    stop: AbortSignal,
): Promise<void> {
    const operator = seedSigner(await readKeyFile(options.operatorKey, "operator"))
    const log = commandLog(options)
    const follower = await follow(options, signed, log, stop)
    await AdmissionList.open(follower, log, stop, async (all, state) => {
        requireListed(state)
        requireOperator(state, operator, options.operatorKey)
        const stranger = identities.find((identity) => !all.listed.has(nameOf(identity)))
        // Most likely mistyped, and then somebody stays who was meant to go.
        if (!admitted && stranger !== undefined)
            throw new UserError(`${toHex(stranger)} is not admitted, so nobody was removed`)
        for (const identity of identities) {
            if (admitted && all.listed.has(nameOf(identity)))
                process.stderr.write(`${toHex(identity)} is admitted already\n`)
            else {
                const receipt = await all.decide(operator, identity, admitted)
                process.stdout.write(decidedLine(state, identity, admitted, receipt, options))
            }
        }
    })
}

async function list(options: Options, stop: AbortSignal): Promise<void> {
    const log = commandLog(options)
    const follower = await follow(options, shown, log, stop)
    await AdmissionList.open(follower, log, stop, (all, state) => {
        requireListed(state)
        for (const listed of all.listed.values()) process.stdout.write(listedLine(state, listed, options))
        return Promise.resolve()
    })
}

async function follow(
    { config, ...given }: Options,
    kinds: ReadonlySet<EntryKind>,
    log: Logger,
    stop: AbortSignal,
): Promise<Follower> {
    const { host, port, tls } = await loadConfig(pdlConfig, config)
    const local = `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`
    const { chain, ledgerKey, ca: caFile } = given
    const whom = { url: given.url ?? local, ledgerKey, caFile }
    // A follower waits for its server for ever; whoever types a command wants to know at once.
    const { hex } = await findChain({ ...whom, chain }, stop)
    const server = { ...whom, chain: hex }
    return Follower.start({ server, dir: undefined, log, stop, proves: ({ kind }) => kinds.has(kind) })
}

/** What a command did it prints: to be connected is no news here. */
function commandLog({ logLevel }: Options): Logger {
    return makeLogger({ name: "pdl", level: logLevel === "info" ? "warn" : logLevel })
}

function requireListed({ chain, genesis }: ChainState): void {
    if (genesis.parameters.admission === "listed") return
    throw new UserError(
        `chain ${toHex(chain)} (${genesis.name}) is open: whoever wants to registers as a party, and there is no list`,
    )
}

function requireOperator({ chain, genesis }: ChainState, operator: Signer, file: string): void {
    const { operatorKey } = genesis.parameters
    if (nameOf(operatorKey) === nameOf(operator.publicKey)) return
    throw new UserError(
        `the key in ${file} is not that of the operator of chain ${toHex(chain)} (${genesis.name}): ` +
            `its public key is ${toHex(operator.publicKey)}, and the chain names ${toHex(operatorKey)}`,
    )
}

function decidedLine(
    { chain }: ChainState,
    identity: Uint8Array,
    admitted: boolean,
    { index, leaf, time, signature }: Receipt,
    { json }: Options,
): string {
    if (!json) return `${admitted ? "admitted" : "removed"} ${toHex(identity)}: entry ${index}\n`
    const receipt = { index, leaf: toHex(leaf), time, signature: toHex(signature) }
    return `${JSON.stringify({ chain: toHex(chain), identity: toHex(identity), admitted, receipt })}\n`
}

function listedLine(state: ChainState, { identity, index, time }: Listed, { json }: Options): string {
    const actor = state.parties.get(nameOf(identity)) ?? state.nodes.get(nameOf(identity))
    const isRegistered = actor !== undefined && !actor.revoked && actor.lastRound > state.rounds
    const registeredUntil = isRegistered ? actor.lastRound : null
    if (json) return `${JSON.stringify({ identity: toHex(identity), index, time, registeredUntil })}\n`
    const registered = isRegistered ? `registered until round ${actor.lastRound}` : "not registered"
    const since = new Date(time).toISOString()
    return `${toHex(identity)}  admitted by entry ${index} of ${since}, ${registered}\n`
}

function parseIdentity(hex: string, before: readonly Uint8Array[] = []): readonly Uint8Array[] {
    const identity = /^[0-9a-f]{64}$/i.test(hex) ? fromHex(hex.toLowerCase()) : undefined
    if (identity === undefined || !isEd25519PublicKey(identity))
        throw new InvalidArgumentError(
            "No identity: those are 64 hexadecimal digits, as `tallylight party identity` prints them.",
        )
    return [...before, identity]
}

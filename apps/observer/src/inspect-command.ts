/** `observer inspect`: what the ledger says about one round or one entry. It shows, and checks nothing. */
import { fromHex } from "@tallylight/crypto/bytes.js"
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { addOptions } from "@tallylight/node/cli.js"
import { fetchJson } from "@tallylight/node/fetch-json.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Command, InvalidArgumentError } from "commander"
import { z } from "zod"
import { askedChain } from "./config.ts"
import type { WhomOptions } from "./config.ts"
import { httpSource } from "./ledger-source.ts"
import { showProgress } from "./progress.ts"
import { readRound } from "./round-record.ts"
import { entryText, roundText } from "./round-text.ts"
import { terminal } from "./terminal.ts"
import type { Terminal } from "./terminal.ts"

export type InspectOptions = WhomOptions & {
    readonly index?: true
    readonly json?: true
}

/** A round in which ten thousand parties answer has some 20 MB of JSON. */
const limits = { maxBytes: 64 * 1024 * 1024, timeoutMs: 30_000 }

const roundAnswer = z.looseObject({ chain: z.string(), round: z.int().min(1) })
const entriesAnswer = z.object({
    entries: z
        .array(z.object({ index: z.int(), entry: z.unknown(), bytes: z.string().regex(/^([0-9a-f]{2})+$/) }))
        .max(1),
})

export function inspectCommand(stop: AbortSignal): Command {
    const command = new Command("inspect")
        .description("show what the ledger says about a round or an entry, without checking it")
        .argument(
            "<what>",
            "the number of a round, or latest for the last one with a beacon in time",
            parseWhat,
        )
        .option("--index", "take the number for an entry's, or latest for the last entry")
        .option("--json", "print the server's own JSON")
        .action(async (what: string, options: InspectOptions) => runInspect(what, options, stop, terminal))
    return addOptions(command, "config", "url", "chain", "ledgerKey", "ca", "logLevel")
}

export async function runInspect(
    what: string,
    options: InspectOptions,
    stop: AbortSignal,
    to: Terminal,
): Promise<void> {
    const address = await askedChain(options, stop)
    const text = options.index
        ? await inspectEntry(what, address, options, stop, to)
        : await inspectRound(what, address, options, stop, to)
    await to.out(text)
}

function parseWhat(value: string): string {
    if (value !== "latest" && !/^(0|[1-9][0-9]{0,14})$/.test(value))
        throw new InvalidArgumentError("A number is needed, or “latest”.")
    return value
}

async function inspectRound(
    what: string,
    address: ChainAddress,
    { json }: InspectOptions,
    stop: AbortSignal,
    { colors }: Terminal,
): Promise<string> {
    const missing = (): UserError =>
        new UserError(
            what === "latest" ? `chain ${address.hex} has no beacon yet` : `there is no round ${what}`,
        )
    const answer = await fetchJson(`${address.http}/rounds/${what}`, roundAnswer, {
        ...limits,
        signal: stop,
        ca: address.ca,
    })
    if (answer === undefined) throw missing()
    if (json) return `${JSON.stringify(answer)}\n`
    // The server's summary has no roster; the entries themselves tell who was asked and did not answer.
    const source = await httpSource(address, stop)
    const progress = showProgress("reading")
    const record = await readRound(counted(source.entries(), source.size, progress.update), answer.round)
    progress.clear()
    if (record === undefined) throw missing()
    return roundText(record, colors)
}

async function inspectEntry(
    what: string,
    address: ChainAddress,
    { json }: InspectOptions,
    stop: AbortSignal,
    { colors }: Terminal,
): Promise<string> {
    const index = what === "latest" ? (await httpSource(address, stop)).size - 1 : Number(what)
    const found = await fetchJson(`${address.http}/entries?from=${index}&limit=1`, entriesAnswer, {
        ...limits,
        signal: stop,
        ca: address.ca,
    })
    const [entry] = found?.entries ?? []
    if (entry?.index !== index) throw new UserError(`there is no entry ${index}`)
    return json ? `${JSON.stringify(entry)}\n` : entryText(index, fromHex(entry.bytes), colors)
}

async function* counted(
    entries: AsyncIterable<Uint8Array>,
    size: number,
    update: (done: number, total: number) => void,
): AsyncGenerator<Uint8Array> {
    let done = 0
    for await (const entry of entries) {
        yield entry
        done += 1
        update(done, size)
    }
}

/** `requester keygen`: deals a committee's key into one data directory for each member. */
import { mkdir, readdir } from "node:fs/promises"
import { join, resolve } from "node:path"
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { serverOverrides } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { initDataDir } from "@tallylight/node/data-dir.js"
import { findChain } from "@tallylight/node/find-chain.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { maxMembers } from "@tallylight/protocol/wire/messages.js"
import { Command, InvalidArgumentError } from "commander"
import { quorumOf } from "./committee.ts"
import { requesterConfig } from "./config.ts"
import { dealCommittee } from "./dealer.ts"
import type { Deal, DealtMember, Quorum } from "./dealer.ts"
import { writeMember } from "./keys.ts"

type Options = CommonOptions & { readonly committee: Quorum; readonly out: string; readonly json?: true }

export function keygenCommand(stop: AbortSignal): Command {
    return new Command("keygen")
        .description("deal the key of a committee, a folder for each member")
        .requiredOption(
            "--committee <t/n>",
            "how many of how many members open a round, such as 2/3",
            parseQuorum,
        )
        .requiredOption("--out <dir>", "where to make the folders member-1 to member-n")
        .option("--json", "print the committee as one JSON object")
        .action(async (_: unknown, command: Command) => keygen(command.optsWithGlobals<Options>(), stop))
        .addHelpText(
            "after",
            "\nMembers join for one chain: give its id with --chain, and no network is needed; otherwise the ledger\n" +
                "server at --url is asked for it.",
        )
}

async function keygen(options: Options, stop: AbortSignal): Promise<void> {
    const out = resolve(options.out)
    const chain = await chainOf(options, stop)
    await makeRoom(out)
    const deal = dealCommittee(chain, options.committee, systemRandom)
    for (const member of deal.members) {
        const path = folderOf(member, options.out)
        await initDataDir(resolve(path), "requester", (dir) => writeMember(dir, deal, member))
        process.stderr.write(`made ${path}, ${member.number} of ${deal.members.length}\n`)
    }
    process.stdout.write(`${options.json ? json(deal, options.out) : summary(deal, options.out)}\n`)
}

function folderOf({ number }: DealtMember, out: string): string {
    return join(out, `member-${number}`)
}

function json({ committee, members }: Deal, out: string): string {
    const { chain, plan } = committee
    return JSON.stringify({
        committee: toHex(plan.identity),
        chain: toHex(chain),
        quorum: quorumOf(committee),
        dealt: plan.dealt,
        members: members.map((member, at) => ({
            number: member.number,
            identity: toHex(plan.identities[at] ?? new Uint8Array()),
            folder: folderOf(member, out),
        })),
        warning: warning.join(" "),
    })
}

function summary({ committee }: Deal, out: string): string {
    const { chain, plan } = committee
    return [
        `committee  ${toHex(plan.identity)}, ${quorumOf(committee)}`,
        `chain      ${toHex(chain)}`,
        `Each member runs \`tallylight requester --data FOLDER\`; the one with requester.key, at first ${join(out, "member-1")},`,
        "asks for the rounds.",
        "",
        ...warning,
    ].join("\n")
}

const warning = [
    "THIS WAS A DEALER. This process knew the whole secret; whoever could read its memory or this folder can open",
    "every round alone. Give each member its folder over a channel that nobody else reads, then delete them all here,",
    "with every copy and backup. The ledger marks this key as dealt.",
]

async function chainOf(options: Options, stop: AbortSignal): Promise<Uint8Array> {
    const { config, ...given } = options
    const server = await loadConfig(requesterConfig, config, serverOverrides(given))
    const { url, chain } = server
    if (chain !== undefined) {
        if (!/^[0-9a-f]{64}$/i.test(chain))
            throw new UserError(`“${chain}” is no chain id: 64 hexadecimal digits`)
        return fromHex(chain.toLowerCase())
    }
    try {
        return (await findChain(server, stop)).id
    } catch (error) {
        if (error instanceof UserError || !(error instanceof Error)) throw error
        throw new UserError(
            `members join for one chain, and ${url} does not name it (${error.message}); ` +
                `give its id with --chain, and no network is needed`,
            { cause: error },
        )
    }
}

/** Folders of another committee are never mixed with these. */
async function makeRoom(out: string): Promise<void> {
    await mkdir(out, { recursive: true, mode: 0o700 })
    if ((await readdir(out)).length > 0)
        throw new UserError(`${out} is not empty; a committee is dealt into a new folder`)
}

function parseQuorum(value: string): Quorum {
    const [, t, n] = /^([1-9][0-9]{0,3})\/([1-9][0-9]{0,3})$/.exec(value) ?? []
    if (t === undefined || n === undefined)
        throw new InvalidArgumentError("Two numbers such as 2/3 are needed: any 2 of 3 members open a round.")
    const [threshold, members] = [Number(t), Number(n)]
    if (members > maxMembers) throw new InvalidArgumentError(`A committee has at most ${maxMembers} members.`)
    if (members === 1) throw new InvalidArgumentError("For one alone there is `tallylight requester init`.")
    if (threshold > members)
        throw new InvalidArgumentError(`Of ${members} members at most ${members} can be needed.`)
    if (2 * threshold <= members)
        throw new InvalidArgumentError(
            `More than half must be needed, at least ${Math.floor(members / 2) + 1} of ${members}: ` +
                "otherwise two sets of members could open one round in two ways.",
        )
    return { threshold, members }
}

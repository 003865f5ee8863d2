/** `verify --evidence`: what a file proves about a ledger server, from nothing but the file. */
import { readIfThere } from "@tallylight/node/durable-file.js"
import { UserError } from "@tallylight/node/user-error.js"
import { evidenceFile, judgeEvidence } from "@tallylight/protocol/verify/evidence.js"
import type { Evidence, Finding } from "@tallylight/protocol/verify/evidence.js"
import { DoesNotHold } from "./does-not-hold.ts"
import type { Colors, Terminal } from "./terminal.ts"

/** Prints whose key signed what; rejects unless that convicts. */
export async function checkEvidence(file: string, json: boolean, to: Terminal): Promise<void> {
    const finding = judgeEvidence(await readEvidence(file))
    await to.out(json ? `${JSON.stringify(finding)}\n` : text(finding, to.colors))
    to.err(`Compare the chain's id with the one that you know from elsewhere: ${finding.chain}\n`)
    if (!finding.convicts) throw new DoesNotHold(`${file} convicts nobody`)
}

async function readEvidence(file: string): Promise<Evidence> {
    const bytes = await readIfThere(file)
    if (bytes === undefined) throw new UserError(`there is no file ${file}`)
    const parsed = evidenceFile.safeParse(parseJson(bytes.toString("utf8")))
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    const where = issue?.path.join(".") ?? ""
    throw new UserError(`${file} is no evidence file: see ${where === "" ? "its form" : where}`)
}

function parseJson(content: string): unknown {
    try {
        return JSON.parse(content) as unknown
    } catch (error) {
        if (error instanceof SyntaxError) return undefined
        throw error
    }
}

function text({ claims, convicts }: Finding, { green, red, bold }: Colors): string {
    const lines = claims.map(({ says, holds }) => `${holds ? green("shown    ") : red("not shown")}  ${says}`)
    const verdict = convicts
        ? red(bold("the holder of these keys broke its word"))
        : "this convicts nobody: it is at most a reason to ask"
    return [...lines, "", verdict, ""].join("\n")
}

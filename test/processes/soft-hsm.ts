/** Tokens of SoftHSM in a temporary directory. */
import { execFile } from "node:child_process"
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

/** Of Debian, Fedora, Homebrew. */
const modules = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
]

export const noSoftHsm = "SoftHSM is not installed here; on Debian: apt-get install softhsm2"

export type SoftHsm = {
    readonly folder: string
    readonly module: string
    readonly environment: Readonly<Record<string, string>>
    /** Settings of its token, for what takes them. */
    readonly settings: Readonly<Record<string, unknown>>
    /** softhsm2-util with these arguments. */
    readonly util: (...args: readonly string[]) => Promise<string>
    readonly remove: () => Promise<void>
}

export const softPin = "1234"

/** With one token, called “tested”; undefined where SoftHSM is not installed. */
export async function makeSoftHsm(): Promise<SoftHsm | undefined> {
    const module = await firstThere(modules)
    if (module === undefined) return undefined
    const folder = await mkdtemp(join(tmpdir(), "tallylight-softhsm-"))
    const tokens = join(folder, "tokens")
    await mkdir(tokens)
    const configuration = join(folder, "softhsm2.conf")
    await writeFile(
        configuration,
        `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    )
    const environment = { SOFTHSM2_CONF: configuration }
    const util = async (...args: readonly string[]): Promise<string> => {
        const { stdout } = await run("softhsm2-util", args, { env: { ...process.env, ...environment } })
        return stdout
    }
    await util("--init-token", "--free", "--label", "tested", "--so-pin", "87654321", "--pin", softPin)
    const pinFile = join(folder, "pin")
    await writeFile(pinFile, `${softPin}\n`, { mode: 0o600 })
    return {
        folder,
        module,
        environment,
        settings: { kind: "pkcs11", module, token: "tested", pinFile, environment, simulated: true },
        util,
        remove: () => rm(folder, { recursive: true }),
    }
}

async function firstThere(paths: readonly string[]): Promise<string | undefined> {
    for (const path of paths) {
        const isThere = await access(path).then(
            () => true,
            () => false,
        )
        if (isThere) return path
    }
    return undefined
}

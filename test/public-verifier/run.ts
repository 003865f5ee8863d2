/**
 * A verifier that others wrote for NIST's beacon, pointed at a node of ours: `npm run public-verifier -- [URL]`. Without
 * URL it starts a node with a simulated chip. Installs that verifier (npm: nist-randomness-beacon) in a folder of its own.
 */
import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { makeCertificate } from "../certificates.ts"
import { Stage } from "../network/stage.ts"
import { nextLine } from "../processes/run.ts"
import { nistName, standInForNist } from "./nist-host.ts"

const execute = promisify(execFile)
const verifier = "nist-randomness-beacon@2.0.4"
const fewest = 10

type Found = { readonly taken: number; readonly refused: readonly string[] }

const folder = await mkdtemp(join(tmpdir(), "tallylight-public-verifier-"))
const stage = await Stage.make()
try {
    const npm = ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", verifier]
    await execute("npm", npm)
    const node = process.argv[2] ?? (await startNode())
    const count = await enoughPulses(node)
    const honest = await check(node, count, (text) => text)
    const edited = await check(node, 1, changeDigit)
    for (const problem of honest.refused) console.error(problem)
    console.log(`${verifier} took ${honest.taken} answers of ${node}, refused ${honest.refused.length}`)
    console.log(`with a digit of each changed on the way it took ${edited.taken}`)
    if (honest.refused.length > 0 || edited.taken > 0) process.exitCode = 1
} finally {
    await stage.clear()
    await rm(folder, { recursive: true })
}

async function startNode(): Promise<string> {
    const settings = { pulses: { periodic: { periodMs: 1000 } } }
    await writeFile(join(stage.folder, "node.json"), JSON.stringify(settings))
    const node = ["entropy-node", "--data", "node", "--config", "node.json", "--simulated"]
    await stage.run(...node.toSpliced(1, 0, "init"))
    const running = stage.start(...node, "--port", "0", "--json")
    return (JSON.parse(await nextLine(running)) as { readonly urls: readonly string[] }).urls[0] ?? ""
}

function changeDigit(text: string): string {
    return text.replace(/(?<="localRandomValue":")[0-9A-F]/, (digit) => (digit === "0" ? "1" : "0"))
}

async function enoughPulses(node: string): Promise<number> {
    for (;;) {
        const response = await fetch(`${node}/beacon/2.0/chain/1/pulse/last`)
        if (response.ok) {
            const { pulse } = (await response.json()) as { readonly pulse: { readonly pulseIndex: number } }
            if (pulse.pulseIndex >= fewest) return Math.min(pulse.pulseIndex, 10 * fewest)
        }
        await sleep(500)
    }
}

async function check(node: string, count: number, edit: (text: string) => string): Promise<Found> {
    const certificate = await makeCertificate(nistName)
    const caFile = join(folder, "ca.pem")
    await writeFile(caFile, certificate.cert)
    const host = await standInForNist(node, certificate, edit)
    const client = fileURLToPath(new URL("client.cjs", import.meta.url))
    const env = {
        ...process.env,
        HTTPS_PROXY: host.proxy,
        NODE_EXTRA_CA_CERTS: caFile,
        NODE_NO_WARNINGS: "1",
    }
    try {
        const { stdout } = await execute(process.execPath, [client, folder, String(count)], { env })
        return JSON.parse(stdout) as Found
    } finally {
        await host.close()
    }
}

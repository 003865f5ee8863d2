/** A committee of three processes, any two of which open a round together. */
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fromHex } from "@tallylight/crypto/bytes.js"
import type { VerifyJson } from "@tallylight/observer/verify-report.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry, EntryKind, EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, said } from "../processes/run.ts"
import type { Running } from "../processes/run.ts"
import { runLyingMember } from "./lying-member.ts"
import { Stage } from "./stage.ts"

let stage: Stage
let url: string
let ledger: Ledger
const stop = new AbortController()

/** What the server has logged so far. */
class Ledger {
    readonly entries: Entry[] = []
    readonly #address: string

    constructor(address: string) {
        this.#address = address
    }

    ofKind<K extends EntryKind>(kind: K): EntryOf<K>[] {
        return this.entries.filter((entry): entry is Entry & EntryOf<K> => entry.kind === kind)
    }

    async until(reached: () => boolean): Promise<void> {
        await this.#read()
        while (!reached()) {
            await sleep(100)
            await this.#read()
        }
    }

    /** `count` more rounds that were opened in time. */
    async beacons(count: number): Promise<void> {
        await this.until(() => true)
        const from = this.entries.length
        await this.until(() => this.#timely(from) >= count)
    }

    #timely(from: number): number {
        const voids = new Set(this.ofKind("void").map(({ round }) => round))
        return this.entries.slice(from).filter((entry) => entry.kind === "beacon" && !voids.has(entry.round))
            .length
    }

    async #read(): Promise<void> {
        const response = await fetch(`${this.#address}/entries?from=${this.entries.length}&limit=1000`)
        const { entries } = (await response.json()) as { entries: { bytes: string }[] }
        this.entries.push(...entries.map(({ bytes }) => decodeEntry(fromHex(bytes))))
    }
}

/** A ledger server, two parties, and a committee of three of which nobody runs yet. */
beforeEach(async () => {
    stage = await Stage.make()
    const chain = { registrationRounds: 6, decryptionWindowMs: 5000 }
    await writeFile(join(stage.folder, "pdl.jsonc"), JSON.stringify({ chain }))
    const made = await stage.run("pdl", "init", "--config", "pdl.jsonc", "--data", "pdl")
    expect(made.code, made.stderr).toBe(0)
    const server = stage.start("pdl", "--json", "--data", "pdl", "--url", "http://127.0.0.1:0")
    const listening = JSON.parse(await nextLine(server)) as { readonly url: string; readonly chain: string }
    url = listening.url
    ledger = new Ledger(`${url}/v1/chains/${listening.chain}`)
    stage.start("party", "--url", url, "--count", "2")
    // Without the network, as a dealer should be run.
    const dealt = await stage.run(
        ...["requester", "keygen", "--committee", "2/3", "--out", "committee", "--chain", listening.chain],
    )
    expect(dealt.code, dealt.stderr).toBe(0)
    expect(dealt.stdout).toContain("THIS WAS A DEALER")
    await ledger.until(() => ledger.ofKind("party-registration").length === 2)
})
afterEach(() => stage.clear())

function member(number: number): Running {
    return stage.start("requester", "--json", "--url", url, "--interval", "0.3", "--data", folder(number))
}

function folder(number: number): string {
    return join(stage.folder, `committee/member-${number}`)
}

async function verify(): Promise<VerifyJson> {
    const { code, stdout, stderr } = await stage.run("observer", "verify", "--json", "--url", url)
    expect(code, stdout + stderr).toBe(0)
    return JSON.parse(stdout) as VerifyJson
}

/** Members whose shares opened the last round. */
function lastOpeners(): number[] | undefined {
    return ledger
        .ofKind("beacon")
        .at(-1)
        ?.shares.map(({ member }) => member)
}

test("the dealer prints no secret, and overwrites nothing", async () => {
    const before = await readFile(join(folder(1), "share.key"))
    const again = await stage.run(
        "requester",
        "keygen",
        "--committee",
        "2/2",
        "--out",
        "committee",
        "--url",
        url,
    )
    expect(again.code).toBe(1)
    expect(again.stderr).toContain("is not empty")
    expect(await readFile(join(folder(1), "share.key"))).toEqual(before)
    const dealing = ["requester", "keygen", "--committee", "2/2", "--json", "--out", "other", "--url", url]
    const other = await stage.run(...dealing)
    expect(other.code, other.stderr).toBe(0)
    expect(JSON.parse(other.stdout)).toMatchObject({
        ...{ quorum: "2/2", dealt: true },
        members: [{ number: 1, folder: "other/member-1" }, { number: 2 }],
    })
    for (const name of ["member-1", "member-2"]) {
        const files = await readdir(join(stage.folder, "other", name))
        for (const file of files.filter((file) => file.endsWith(".key"))) {
            const [, , hex] = (await readFile(join(stage.folder, "other", name, file), "utf8"))
                .trim()
                .split(" ")
            expect(hex).toMatch(/^[0-9a-f]{64}$/)
            expect(other.stdout + other.stderr).not.toContain(hex)
        }
    }
    const unread = stage.start("requester", "keygen", "--committee", "3/5", "--out", "unread", "--url", url)
    unread.closeOutput()
    await unread.ended
    expect((await readdir(join(stage.folder, "unread"))).length).toBe(5)
    const unusable = await stage.run("requester", "keygen", "--committee", "1/2", "--out", "third")
    expect(unusable.code).toBe(2)
    expect(unusable.stderr).toContain("More than half must be needed")
})

test("rounds go on with a member killed, wait for one of two, and are opened late when it comes back", async () => {
    const [first, second, third] = [member(1), member(2), member(3)]
    await ledger.beacons(2)
    await said(second, "--interval has no effect here")
    expect(first.remarks()).not.toContain("has no effect")
    const line = JSON.parse(await nextLine(second)) as object
    expect(line).toMatchObject({ quorum: "2/3", member: 2 })
    expect(line).toHaveProperty("committee")

    const { length } = ledger.ofKind("tally")
    await ledger.until(() => ledger.ofKind("tally").length > length)
    third.kill("SIGKILL")
    await third.ended
    // Half a registration's life: the member that asks has renewed it, and needed nobody for that.
    await ledger.beacons(4)
    expect(lastOpeners()).toEqual([1, 2])
    expect(ledger.ofKind("requester-registration").length).toBeGreaterThan(1)
    expect(ledger.ofKind("void")).toEqual([])

    second.kill("SIGKILL")
    await ledger.until(() => ledger.ofKind("void").some(({ missing }) => missing.join() === "2,3"))
    const ended = ledger.ofKind("void").find(({ missing }) => missing.join() === "2,3")!
    expect(ended.reason).toBe("withheld")
    const back = member(3)
    await ledger.until(() => ledger.ofKind("beacon").some(({ round }) => round === ended.round))
    await ledger.beacons(1)
    expect(lastOpeners()).toEqual([1, 3])
    expect(JSON.parse(await nextLine(back))).toMatchObject({ member: 3 })

    const { keyHolders } = await verify()
    expect(keyHolders.map(({ member }) => member).toSorted()).toEqual([2, 3])
    expect(keyHolders.every(({ wrongShares }) => wrongShares === 0)).toBe(true)
    const text = await stage.run("observer", "inspect", "--url", url, "latest")
    expect(text.stdout).toMatch(/^no share +member 2 \([0-9a-f]{8}\)$/m)
})

test("another member goes on asking for rounds when it is given the requester's key", async () => {
    const [first] = [member(1), member(2)]
    await ledger.beacons(1)
    first.kill("SIGKILL")
    await first.ended
    await copyFile(join(folder(1), "requester.key"), join(folder(3), "requester.key"))
    member(3)
    await ledger.beacons(4)
    expect(lastOpeners()).toEqual([2, 3])
    expect((await verify()).holds).toBe(true)
})

test("a member that signs wrong shares is convicted in the ledger, and stops nobody", async () => {
    const [, second] = [member(1), member(2)]
    const lying = runLyingMember(folder(3), url, stop.signal)
    await ledger.beacons(2)
    second.kill("SIGKILL")
    await second.ended
    // Nobody else is there to be faster.
    await ledger.until(() => ledger.ofKind("share").some(({ valid }) => !valid))
    member(2)
    await ledger.beacons(2)
    expect(lastOpeners()).toEqual([1, 2])
    stop.abort()
    await lying

    const wrong = ledger.ofKind("share").filter(({ valid }) => !valid)
    expect(wrong.map(({ share }) => share.member)).toEqual(wrong.map(() => 3))
    const { keyHolders } = await verify()
    const liar = keyHolders.find(({ member }) => member === 3)
    expect(liar?.wrongShares).toBeGreaterThanOrEqual(wrong.length)
    const shown = await stage.run("observer", "inspect", "--url", url, String(wrong[0]!.round))
    expect(shown.stdout).toMatch(/^share +member 3 .*, on record as wrong$/m)
    const report = await stage.run("observer", "verify", "--url", url)
    expect(report.stdout).toMatch(/^CONVICTED {2}member 3 /m)
})

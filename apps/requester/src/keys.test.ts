import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sha256 } from "@tallylight/crypto/hash.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { lagrangeAtZero } from "@tallylight/crypto/threshold.js"
import { initDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { dealCommittee } from "./dealer.ts"
import type { Deal } from "./dealer.ts"
import { makeKeys, readKeys, writeMember } from "./keys.ts"
import type { RequesterKeys } from "./keys.ts"

const chain = sha256(new Uint8Array(1))
let folder: string
let deal: Deal

beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-committee-"))
    deal = dealCommittee(chain, { threshold: 2, members: 3 }, seededRandom("keys"))
    for (const member of deal.members)
        await initDataDir(join(folder, `${member.number}`), "requester", (dir) =>
            writeMember(dir, deal, member),
        )
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function read(number: number): Promise<RequesterKeys> {
    const dir = await openDataDir({ path: join(folder, `${number}`), named: true, role: "requester" })
    return readKeys(dir).finally(() => dir.release())
}

describe("a dealt committee", () => {
    test("has shares of which any two make the key, and none is it", () => {
        const [Y] = deal.committee.plan.commitments
        const shares = deal.members.map(({ number, share }) => ({ number, share }))
        for (const without of shares) {
            const two = shares.filter((one) => one !== without)
            const factors = lagrangeAtZero(two.map(({ number }) => number))
            const points = two.map(({ share }) => ristretto255.multiplyBase(share))
            expect(encodePoint(ristretto255.multiScalarMultiply(points, factors))).toEqual(Y)
            expect(encodePoint(ristretto255.multiplyBase(without.share))).not.toEqual(Y)
        }
    })

    test("is marked as dealt, and read back by each member as it was written", async () => {
        for (const { number, share, identitySeed } of deal.members) {
            const { signer, secret, membership } = await read(number)
            expect(signer.publicKey).toEqual(seedSigner(identitySeed).publicKey)
            expect(secret).toBe(share)
            expect(membership?.committee).toEqual(deal.committee)
            expect(membership?.committee.plan.dealt).toBe(true)
            expect(membership?.number).toBe(number)
        }
    })

    test("gives the requester's own key to its first member only", async () => {
        const speakers = []
        for (const { number } of deal.members) {
            const requester = (await read(number)).membership?.requester
            if (requester !== undefined) speakers.push({ number, identity: requester.publicKey })
        }
        expect(speakers).toEqual([{ number: 1, identity: deal.committee.plan.identity }])
    })

    test("can be spoken for by whichever member is given that key", async () => {
        await copyFile(join(folder, "1/requester.key"), join(folder, "3/requester.key"))
        expect((await read(3)).membership?.requester?.publicKey).toEqual(deal.committee.plan.identity)
    })

    test("keeps its secrets from other users, and lets nobody read them out of what is public", async () => {
        for (const name of ["identity.key", "share.key", "requester.key"])
            expect((await stat(join(folder, "1", name))).mode & 0o777).toBe(0o600)
        const published = await readFile(join(folder, "1/committee.json"), "utf8")
        for (const name of ["identity.key", "share.key", "requester.key"]) {
            const [, , hex] = (await readFile(join(folder, "1", name), "utf8")).trim().split(" ")
            expect(published).not.toContain(hex)
        }
    })
})

describe("a member whose files were mixed up does not start:", () => {
    const mixed = [
        ["identity.key", "2", /share\.key is not the share of member 2/],
        ["share.key", "2", /share\.key is not the share of member 1/],
    ] as const
    test.each(mixed)("its %s is that of member %s", async (name, from, sentence) => {
        await rm(join(folder, "1", name))
        await copyFile(join(folder, from, name), join(folder, "1", name))
        await expect(read(1)).rejects.toThrow(sentence)
    })

    test("its committee is another one", async () => {
        const other = dealCommittee(chain, { threshold: 2, members: 3 }, seededRandom("another"))
        await initDataDir(join(folder, "4"), "requester", (dir) => writeMember(dir, other, other.members[0]!))
        await copyFile(join(folder, "4/committee.json"), join(folder, "1/committee.json"))
        await expect(read(1)).rejects.toThrow("identity.key is of no member in")
        await copyFile(join(folder, "4/requester.key"), join(folder, "2/requester.key"))
        await expect(read(2)).rejects.toThrow("which is not the committee in")
    })

    test.each(["{", "{}", '{"format":2}'])("its committee is damaged: %s", async (text) => {
        await writeFile(join(folder, "1/committee.json"), text)
        await expect(read(1)).rejects.toThrow("committee.json is damaged")
    })

    test.each(["identity.key", "share.key"])("its %s is lost", async (name) => {
        await rm(join(folder, "1", name))
        await expect(read(1)).rejects.toThrow(`there is no key file ${join(folder, "1", name)}`)
    })
})

test("a requester that opens alone is of no committee", async () => {
    await initDataDir(join(folder, "5"), "requester", makeKeys)
    const { membership, secret } = await read(5)
    expect(membership).toBeUndefined()
    expect(deal.members.map(({ share }) => share)).not.toContain(secret)
})

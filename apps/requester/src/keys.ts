/** The keys in a requester's data directory: of one that opens its rounds alone, or of a committee's member. */
import { equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { decodePoint } from "@tallylight/crypto/ristretto255.js"
import { decodeScalar, encodeScalar, hashToScalar } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { evaluateCommitments } from "@tallylight/crypto/threshold.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { createDurably, readIfThere } from "@tallylight/node/durable-file.js"
import { createKeyFile, readKeyFile } from "@tallylight/node/key-files.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { tags } from "@tallylight/protocol/tags.js"
import { committeeText, parseCommittee } from "./committee.ts"
import type { Committee } from "./committee.ts"
import type { Deal, DealtMember } from "./dealer.ts"

export type RequesterKeys = {
    /** Who this process is to the ledger server, and who signs its shares. */
    readonly signer: Signer
    /** What it opens with: the whole key, or a member's share of it. */
    readonly secret: Scalar
    /** Undefined for a requester that opens its rounds alone. */
    readonly membership?: Membership
}

export type Membership = {
    readonly committee: Committee
    /** From 1. */
    readonly number: number
    /** Of the member that registers the committee and asks for its rounds. */
    readonly requester: Signer | undefined
}

const identityFile = "identity.key"
const encryptionFile = "encryption.key"
const committeeFile = "committee.json"
const shareFile = "share.key"
const requesterFile = "requester.key"

/** What `init` puts into a data directory. */
export async function makeKeys({ file }: DataDir): Promise<void> {
    await createKeyFile(file(identityFile), "identity", systemRandom(32))
    await createKeyFile(file(encryptionFile), "encryption", systemRandom(32))
}

/** What `keygen` puts into a member's; only the first one gets the requester's own key. */
export async function writeMember(
    { file }: DataDir,
    { committee, requesterSeed }: Deal,
    { number, identitySeed, share }: DealtMember,
): Promise<void> {
    await createKeyFile(file(identityFile), "identity", identitySeed)
    await createKeyFile(file(shareFile), "share", encodeScalar(share))
    if (number === 1) await createKeyFile(file(requesterFile), "identity", requesterSeed)
    await createDurably(file(committeeFile), committeeText(committee))
}

/** Rejects where one is missing: with a new one, sealed sums would stay sealed or be opened wrongly. */
export async function readKeys(dir: Pick<DataDir, "file">): Promise<RequesterKeys> {
    const { file } = dir
    const signer = seedSigner(await readKeyFile(file(identityFile), "identity"))
    const committee = await readIfThere(file(committeeFile))
    if (committee !== undefined) return readMember(dir, signer, committee.toString("utf8"))
    const encryption = await readKeyFile(file(encryptionFile), "encryption")
    return { signer, secret: hashToScalar(transcript(tags.encryptionKey, encryption)) }
}

async function readMember(
    { file }: Pick<DataDir, "file">,
    signer: Signer,
    text: string,
): Promise<RequesterKeys> {
    const committee = parseCommittee(text, file(committeeFile))
    const number = committee.plan.identities.findIndex((one) => equalBytes(one, signer.publicKey)) + 1
    if (number === 0)
        throw new UserError(
            `${file(identityFile)} is of no member in ${file(committeeFile)}: keys were mixed up`,
        )
    const secret = decodeScalar(await readKeyFile(file(shareFile), "share"))
    if (secret === undefined || !isShareOf(committee, number, secret))
        throw new UserError(
            `${file(shareFile)} is not the share of member ${number} in ${file(committeeFile)}: keys were mixed up`,
        )
    return {
        signer,
        secret,
        membership: { committee, number, requester: await readRequester(file, committee) },
    }
}

function isShareOf({ plan }: Committee, number: number, secret: Scalar): boolean {
    const commitments = plan.commitments.map(decodePoint).filter((point) => point !== undefined)
    if (commitments.length < plan.commitments.length) return false
    const key = evaluateCommitments(commitments, number)
    return equalBytes(encodePoint(ristretto255.multiplyBase(secret)), encodePoint(key))
}

async function readRequester(file: DataDir["file"], { plan }: Committee): Promise<Signer | undefined> {
    if ((await readIfThere(file(requesterFile))) === undefined) return undefined
    const requester = seedSigner(await readKeyFile(file(requesterFile), "identity"))
    if (equalBytes(requester.publicKey, plan.identity)) return requester
    throw new UserError(
        `${file(requesterFile)} is of ${toHex(requester.publicKey)}, which is not the committee in ${file(committeeFile)}`,
    )
}

/** Members joined for one chain; a ledger server that has others is not asked which. */
export function chainOf({ membership }: RequesterKeys, given: string | undefined): string | undefined {
    if (membership === undefined) return given
    const own = toHex(membership.committee.chain)
    if (given !== undefined && given.toLowerCase() !== own)
        throw new UserError(`this member joined its committee for chain ${own}, and not for ${given}`)
    return own
}

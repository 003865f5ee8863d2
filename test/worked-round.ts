/**
 * The worked example of PROTOCOL.md §11: round 1 of the sample ledger, every transcript spelled out as the page has
 * it. Nothing here calls the functions that made the entries: each hash, signature and proof is computed or checked
 * again from the parts that are printed, so the page cannot say one thing while the code does another.
 */
import { concatBytes, toHex, uint16, uint64 } from "@tallylight/crypto/bytes.js"
import { openCheckpoint, signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { vrfPublicKey, vrfVerify } from "@tallylight/crypto/ecvrf.js"
import { ed25519PublicKey, ed25519Verify } from "@tallylight/crypto/ed25519.js"
import type { Point } from "@tallylight/crypto/group.js"
import { sha256, sha512 } from "@tallylight/crypto/hash.js"
import { leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { proofNonce } from "@tallylight/crypto/nonce.js"
import { ristretto255 as group } from "@tallylight/crypto/ristretto255.js"
import { decodeScalar, encodeScalar, hashToScalar, scalarFromUniform } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry, EntryKind, EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { makeReceipt } from "@tallylight/protocol/ledger/receipt.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { makeSampleKeys } from "@tallylight/protocol/sample/sample-keys.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"

const seed = "tallylight sample 5"

type Part = readonly [name: string, bytes: Uint8Array]

/** The identities' seeds, of which the sample keeps only the signers. */
function identitySeeds() {
    const random = seededRandom(seed)
    const party = random(32)
    random(32 + 3 * 64 + 3 * 32)
    return { party, requester: random(32) }
}

/** What the sample drew beside its keys, in the order in which it drew it. */
function drawnSecrets() {
    const random = seededRandom(seed)
    const keys = makeSampleKeys(random)
    const operatorSeed = random(32)
    const salt = random(32)
    const possession = random(32)
    for (let member = 1; member <= 3; member++) random(32)
    const nonces = [random(32), random(32)]
    const [entropy, k, knowledge] = [random(64), scalarFromUniform(random(64)), random(32)]
    for (let other = 2; other <= 3; other++) random(64 + 64 + 32)
    random(32)
    return { keys, operatorSeed, salt, possession, nonces, entropy, k, knowledge, share: random(32) }
}

function check(holds: boolean, what: string): void {
    if (!holds) throw new Error(`the worked round does not hold: ${what}`)
}

function same(bytes: Uint8Array, expected: Uint8Array, what: string): void {
    check(toHex(bytes) === toHex(expected), what)
}

function point(bytes: Uint8Array): Point {
    const decoded = group.decode(bytes)
    if (decoded === undefined) throw new Error("the worked round has a malformed point")
    return decoded
}

function scalar(bytes: Uint8Array): Scalar {
    const decoded = decodeScalar(bytes)
    if (decoded === undefined) throw new Error("the worked round has a malformed scalar")
    return decoded
}

/** Names in one column, hex in lines of 40 bytes in the next. */
function rows(parts: readonly (readonly [name: string, value: Uint8Array | string])[]): string {
    return parts
        .flatMap(([name, value]) => {
            const text = value instanceof Uint8Array ? toHex(value) : value
            const lines = value instanceof Uint8Array ? (text.match(/.{1,80}/g) ?? ["(empty)"]) : [text]
            return lines.map((line, at) => `    ${(at === 0 ? name : "").padEnd(16)} ${line}`)
        })
        .join("\n")
}

function hexDump(name: string, bytes: Uint8Array): string {
    return rows([[name, bytes]])
}

class Page {
    readonly #parts: string[] = []

    add(...parts: readonly string[]): void {
        this.#parts.push(...parts)
    }

    /** Shows a transcript and returns its bytes. */
    transcript(says: string, tag: string, parts: readonly Part[]): Uint8Array {
        this.add(says, rows([["tag", tag], ...parts]))
        return transcript(tag, ...parts.map(([, bytes]) => bytes))
    }

    signature(key: Uint8Array, message: Uint8Array, signature: Uint8Array): void {
        check(ed25519Verify(key, message, signature), "a signature")
        this.add(hexDump("-> signature", signature))
    }

    get text(): string {
        return this.#parts.join("\n\n")
    }
}

export function workedRound(): string {
    const ledger = sampleLedger(seed)
    const secrets = drawnSecrets()
    const { keys } = secrets
    const page = new Page()

    function first<K extends EntryKind>(kind: K): { index: number; entry: EntryOf<K>; bytes: Uint8Array } {
        const index = ledger.entries.findIndex((entry) => entry.kind === kind)
        const entry = ledger.entries[index] as Entry & EntryOf<K>
        return { index, entry, bytes: encodeEntry(entry) }
    }
    const stateAfter = (index: number) => {
        const state = ledger.states[index]
        if (state === undefined) throw new Error("the sample is shorter than its worked round")
        return state
    }
    const [party] = keys.parties
    const [member] = keys.solo.members
    if (party === undefined || member === undefined) throw new Error("the sample is short of actors")
    const { nonces } = secrets
    const identities = identitySeeds()
    same(ed25519PublicKey(identities.party), party.signer.publicKey, "seed of party 1")
    same(ed25519PublicKey(identities.requester), member.signer.publicKey, "seed of the requester")

    page.add(
        "### 11.1 Secrets",
        `Drawn from SHA-512(u64(i) || "${seed}") for i = 0, 1, ...; Ed25519 and VRF keys by their seeds.`,
        rows([
            ["party 1 identity", identities.party],
            ["  its key", party.signer.publicKey],
            ["party 1 VRF", party.vrfSeed],
            ["  its key", vrfPublicKey(party.vrfSeed)],
            ["PDL ledger", keys.ledgerSeed],
            ["  its key", ed25519PublicKey(keys.ledgerSeed)],
            ["PDL message", keys.messageSeed],
            ["  its key", ed25519PublicKey(keys.messageSeed)],
            ["PDL VRF", keys.vrfSeed],
            ["  its key", vrfPublicKey(keys.vrfSeed)],
            ["operator", secrets.operatorSeed],
            ["  its key", ed25519PublicKey(secrets.operatorSeed)],
            ["requester", identities.requester],
            ["  its key", member.signer.publicKey],
            ["x", encodeScalar(member.secret)],
            ["Y = xB", group.encode(group.multiplyBase(member.secret))],
        ]),
    )

    const genesis = first("genesis")
    const chain = sha256(genesis.bytes)
    same(chain, ledger.state.chain, "chain id")
    same(genesis.entry.salt, secrets.salt, "salt")
    page.add(
        "### 11.2 Genesis",
        hexDump("entry 0", genesis.bytes),
        rows([
            ["chain = SHA-256", chain],
            ["leaf", leafHash(genesis.bytes)],
        ]),
    )

    const registration = first("party-registration")
    const claim: Part[] = [
        ["chain", chain],
        ["identity", registration.entry.identity],
        ["sequence", uint64(registration.entry.sequence)],
        ["vrfKey", registration.entry.vrfKey],
    ]
    page.add("### 11.3 Registration of party 1")
    const possession = page.transcript("VRF input of the possession:", "tallylight/v1/vrf-possession", claim)
    check(
        vrfVerify(registration.entry.vrfKey, possession, registration.entry.possession) !== undefined,
        "possession of a VRF key",
    )
    page.add(hexDump("-> possession", registration.entry.possession))
    const registered = page.transcript("The party signs:", "tallylight/v1/sign/party-registration", [
        ...claim,
        ["possession", registration.entry.possession],
    ])
    page.signature(registration.entry.identity, registered, registration.entry.signature)
    page.add(hexDump(`entry ${registration.index}`, registration.bytes))

    const committee = first("requester-registration")
    const [joined] = committee.entry.members
    const [Y] = committee.entry.commitments
    if (joined === undefined || Y === undefined) throw new Error("the sample's first requester has no member")
    const plan: Part[] = [
        ["chain", chain],
        ["identity", committee.entry.identity],
        ["dealt", Uint8Array.of(0)],
        ["commitments", concatBytes(...committee.entry.commitments)],
        ["members", concatBytes(...committee.entry.members.map(({ identity }) => identity))],
    ]
    page.add("### 11.4 Registration of the solo requester")
    const nonceFor = (secret: Scalar, statement: Uint8Array, random: Uint8Array): Scalar =>
        proofNonce({ secret, statement, random })
    const held: Part[] = [...plan, ["u16(i)", uint16(1)], ["P = Y_1", Y]]
    const holding = page.transcript("Possession of x_1 = x (3.5), st:", "tallylight/v1/possession", held)
    const a1 = nonceFor(member.secret, holding, secrets.possession)
    same(group.encode(group.multiplyBase(a1)), joined.A, "nonce of a possession")
    const e1 = hashToScalar(
        transcript("tallylight/v1/possession", ...held.map(([, bytes]) => bytes), joined.A),
    )
    const checked1 = group.subtract(group.multiplyBase(scalar(joined.s)), group.multiply(point(Y), e1))
    check(group.equals(checked1, point(joined.A)), "possession of a share")
    page.add(
        "The nonce's randomness, the nonce, and the proof; e hashes the same parts with A behind them:",
        rows([
            ["random", secrets.possession],
            ["a", encodeScalar(a1)],
            ["A = aB", joined.A],
            ["e", encodeScalar(e1)],
            ["s = a + ex", joined.s],
        ]),
    )
    const asMember = page.transcript(
        "As member 1 it signs (identity and key are the requester's):",
        "tallylight/v1/sign/committee-member",
        [...plan, ["u16(i)", uint16(1)], ["A", joined.A], ["s", joined.s]],
    )
    page.signature(joined.identity, asMember, joined.signature)
    const asRequester = page.transcript("As requester:", "tallylight/v1/sign/requester-registration", [
        ...plan,
        ["sequence", uint64(committee.entry.sequence)],
        ["A_1||s_1||sig_1", concatBytes(joined.A, joined.s, joined.signature)],
    ])
    page.signature(committee.entry.identity, asRequester, committee.entry.signature)
    page.add(hexDump(`entry ${committee.index}`, committee.bytes))

    const request = first("request")
    const [nonce] = nonces
    if (nonce === undefined) throw new Error("the sample has no nonces")
    same(request.entry.nonce, nonce, "nonce of the request")
    page.add("### 11.5 Request")
    const asked = page.transcript("The requester signs:", "tallylight/v1/sign/request", [
        ["chain", chain],
        ["identity", request.entry.identity],
        ["Y", request.entry.Y],
        ["nonce", request.entry.nonce],
        ["sequence", uint64(request.entry.sequence)],
        ["notBefore", uint64(request.entry.notBefore)],
    ])
    page.signature(request.entry.identity, asked, request.entry.signature)
    page.add(
        rows([
            [`entry ${request.index}`, request.bytes],
            ["leaf", leafHash(request.bytes)],
        ]),
    )

    const ticket = first("ticket")
    const round = uint64(ticket.entry.round)
    const attempt = Uint8Array.of(1)
    page.add("### 11.6 Ticket")
    const ticketInput = page.transcript("VRF input; the seed is no seed:", "tallylight/v1/ticket-vrf", [
        ["chain", chain],
        ["attempt", attempt],
        ["leaf(request)", leafHash(request.bytes)],
        ["seed", ticket.entry.seed],
    ])
    const beta = vrfVerify(vrfPublicKey(keys.vrfSeed), ticketInput, ticket.entry.proof)
    if (beta === undefined) throw new Error("the worked round does not hold: the ticket's VRF proof")
    page.add(
        rows([
            ["-> proof", ticket.entry.proof],
            ["-> beta", beta],
        ]),
    )
    const T = sha256(
        page.transcript("T is the SHA-256 of:", "tallylight/v1/ticket", [
            ["chain", chain],
            ["attempt", attempt],
            ["leaf(request)", leafHash(request.bytes)],
            ["seed", ticket.entry.seed],
            ["Y", request.entry.Y],
            ["nonce", request.entry.nonce],
            ["beta", beta],
        ]),
    )
    same(T, ticket.entry.ticket, "T")
    const ticketLeaf = leafHash(ticket.bytes)
    page.add(
        rows([
            ["-> T", T],
            ["k, n", `${ticket.entry.k}, ${ticket.entry.n}`],
            [`entry ${ticket.index}`, ticket.bytes],
            ["leaf", ticketLeaf],
        ]),
    )

    const contextOf = (identity: Uint8Array): Part[] => [
        ["chain", chain],
        ["round", round],
        ["ticket", T],
        ["ticket leaf", ticketLeaf],
        ["Y", Y],
        ["identity", identity],
    ]
    const given = first("contribution")
    const { identity, y, pi, C, D, A, s, statement, signature } = given.entry
    same(identity, party.signer.publicKey, "the first contributor")
    const output = vrfVerify(registration.entry.vrfKey, T, pi)
    check(output !== undefined && toHex(output) === toHex(y), "lot")
    const M1 = group.fromUniform(sha512(transcript("tallylight/v1/point", new Uint8Array(), secrets.entropy)))
    same(group.encode(group.multiplyBase(secrets.k)), C, "C")
    same(group.encode(group.add(M1, group.multiply(point(Y), secrets.k))), D, "D")
    page.add(
        "### 11.7 Contribution of party 1",
        "The lot, with alpha = T. With k >= n the threshold is 2^512, so every y is below it:",
        rows([
            ["pi", pi],
            ["y", y],
        ]),
    )
    page.transcript("The point is H2P of:", "tallylight/v1/point", [
        ["fromNode", new Uint8Array()],
        ["fromSystem", secrets.entropy],
    ])
    page.add(
        rows([
            ["-> M_1", group.encode(M1)],
            ["k_1", encodeScalar(secrets.k)],
            ["C = k_1 B", C],
            ["D = M_1 + k_1 Y", D],
        ]),
    )
    const known: Part[] = [...contextOf(identity), ["P = C", C], ["bound = D", D]]
    const st = page.transcript("Proof of knowledge of k_1, st:", "tallylight/v1/knowledge", known)
    const a2 = nonceFor(secrets.k, st, secrets.knowledge)
    same(group.encode(group.multiplyBase(a2)), A, "nonce of a proof of knowledge")
    const e2 = hashToScalar(transcript("tallylight/v1/knowledge", ...known.map(([, bytes]) => bytes), A))
    const checked2 = group.subtract(group.multiplyBase(scalar(s)), group.multiply(point(C), e2))
    check(group.equals(checked2, point(A)), "proof of knowledge")
    page.add(
        rows([
            ["random", secrets.knowledge],
            ["a", encodeScalar(a2)],
            ["A = aB", A],
            ["e", encodeScalar(e2)],
            ["s = a + e k_1", s],
        ]),
    )
    const contributed = page.transcript("The party signs:", "tallylight/v1/sign/contribution", [
        ...contextOf(identity),
        ["y", y],
        ["pi", pi],
        ["C", C],
        ["D", D],
        ["A", A],
        ["s", s],
        ["statement", statement],
    ])
    page.signature(identity, contributed, signature)
    page.add(hexDump(`entry ${given.index}`, given.bytes))

    const contributions = ledger.entries
        .map((entry, index) => ({ entry, index }))
        .filter(({ entry }) => entry.kind === "contribution" && entry.round === 1)
    const tally = first("tally")
    const sum = (of: (entry: EntryOf<"contribution">) => Uint8Array): Point =>
        contributions
            .map(({ entry }) => point(of(entry as EntryOf<"contribution">)))
            .reduce((total, next) => group.add(total, next), group.identity)
    same(group.encode(sum((entry) => entry.C)), tally.entry.C, "C*")
    same(group.encode(sum((entry) => entry.D)), tally.entry.D, "D*")
    const tallyLeaf = leafHash(tally.bytes)
    const tallyRoot = rangeRoot(stateAfter(tally.index).range)
    page.add(
        "### 11.8 Tally",
        "The summands, by the index of their entries; all three parties have answered:",
        rows(
            contributions.flatMap(({ entry, index }) => [
                [`C of entry ${index}`, (entry as EntryOf<"contribution">).C] as const,
                [`D of entry ${index}`, (entry as EntryOf<"contribution">).D] as const,
            ]),
        ),
        rows([
            ["C*", tally.entry.C],
            ["D*", tally.entry.D],
            [`entry ${tally.index}`, tally.bytes],
            ["leaf", tallyLeaf],
            [`root of ${tally.index + 1}`, tallyRoot],
        ]),
    )

    const shared = first("share")
    const { share } = shared.entry
    const [S, c, z] = [point(share.S), scalar(share.c), scalar(share.z)]
    const cStar = point(tally.entry.C)
    const proved: Part[] = [
        ...contextOf(shared.entry.identity),
        ["u16(i)", uint16(1)],
        ["Y_1", Y],
        ["C*", tally.entry.C],
        ["D*", tally.entry.D],
        ["S", share.S],
    ]
    page.add("### 11.9 Share")
    const shareStatement = page.transcript(
        "The statement of the proof (3.6); w and c hash it, c with t1 and t2 behind it:",
        "tallylight/v1/share",
        proved,
    )
    const w = nonceFor(member.secret, shareStatement, secrets.share)
    const [t1, t2] = [
        group.subtract(group.multiplyBase(z), group.multiply(point(Y), c)),
        group.subtract(group.multiply(cStar, z), group.multiply(S, c)),
    ]
    check(group.equals(t1, group.multiplyBase(w)), "nonce of a share")
    check(group.equals(S, group.multiply(cStar, member.secret)), "S")
    const challenge = hashToScalar(
        transcript(
            "tallylight/v1/share",
            ...proved.map(([, bytes]) => bytes),
            group.encode(t1),
            group.encode(t2),
        ),
    )
    check(challenge === c, "proof of a share")
    page.add(
        rows([
            ["random", secrets.share],
            ["w", encodeScalar(w)],
            ["t1 = wB", group.encode(t1)],
            ["t2 = wC*", group.encode(t2)],
            ["c", share.c],
            ["z = w + cx", share.z],
        ]),
    )
    const opened = page.transcript("The member signs:", "tallylight/v1/sign/share", [
        ...contextOf(shared.entry.identity),
        ["u16(i)", uint16(1)],
        ["C*", tally.entry.C],
        ["D*", tally.entry.D],
        ["tallyIndex", uint64(tally.index)],
        ["leaf(tally)", tallyLeaf],
        ["root", tallyRoot],
        ["S", share.S],
        ["c", share.c],
        ["z", share.z],
    ])
    page.signature(shared.entry.identity, opened, share.signature)
    page.add(hexDump(`entry ${shared.index}`, shared.bytes))

    const beacon = first("beacon")
    same(group.encode(group.subtract(point(tally.entry.D), S)), beacon.entry.M, "M")
    page.add("### 11.10 Beacon", "With one share lambda_1 = 1:", hexDump("M = D* - S", beacon.entry.M))
    const outputInput = page.transcript("VRF input:", "tallylight/v1/output-vrf", [
        ["chain", chain],
        ["round", round],
        ["ticket", T],
        ["C*", tally.entry.C],
        ["D*", tally.entry.D],
    ])
    const betaStar = vrfVerify(vrfPublicKey(keys.vrfSeed), outputInput, beacon.entry.proof)
    if (betaStar === undefined) throw new Error("the worked round does not hold: the output's VRF proof")
    page.add(
        rows([
            ["-> proof", beacon.entry.proof],
            ["-> b*", betaStar],
        ]),
    )
    const R = sha512(
        page.transcript("R is the SHA-512 of:", "tallylight/v1/output", [
            ["chain", chain],
            ["round", round],
            ["ticket", T],
            ["M", beacon.entry.M],
            ["b*", betaStar],
        ]),
    )
    same(R, beacon.entry.output, "R")
    page.add(
        rows([
            ["-> R", R],
            [`entry ${beacon.index}`, beacon.bytes],
        ]),
    )

    const root = rangeRoot(stateAfter(beacon.index).range)
    const { origin } = genesis.entry
    const note = signCheckpoint({ origin, size: beacon.index + 1, root }, keys.ledgerSeed)
    check(openCheckpoint(note, { origin, publicKey: genesis.entry.ledgerKey }) !== undefined, "checkpoint")
    page.add(
        "### 11.11 Checkpoint and receipt",
        `The checkpoint over entries 0 to ${beacon.index}, as text:`,
        `\`\`\`\n${note}\`\`\``,
        hexDump("root", root),
    )
    const receipt = makeReceipt(chain, seedSigner(keys.messageSeed), given.index, given.entry)
    const promised = page.transcript(
        "The receipt for party 1's contribution, signed with the message key:",
        "tallylight/v1/sign/receipt",
        [
            ["chain", chain],
            ["index", uint64(given.index)],
            ["leaf", leafHash(given.bytes)],
            ["time", uint64(given.entry.time)],
        ],
    )
    page.signature(genesis.entry.messageKey, promised, receipt.signature)
    return page.text
}

/**
 * A small ledger made from a seed, in which everything happens that can: every kind of entry, both ways to open
 * a tally and the ways to fail. It is the honest twin of every mutant, and the worked example of PROTOCOL.md.
 */
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { encodePoint } from "@tallylight/crypto/ristretto255.js"
import { commitPolynomial } from "@tallylight/crypto/threshold.js"
import { makeAdmission } from "../chain/admission.ts"
import { ledgerVersion } from "../chain/genesis.ts"
import { makePartyRegistration } from "../chain/party.ts"
import { joinCommittee, makeRequesterRegistration, makeSoloRegistration } from "../chain/requester.ts"
import { makeRevocation } from "../chain/revocation.ts"
import { seedSigner } from "../chain/signer.ts"
import type { Signer } from "../chain/signer.ts"
import { apply, begin } from "../ledger/apply.ts"
import type { Entry, RecordedShare } from "../ledger/entry.ts"
import type { ChainState, Genesis, OpenRound, SealedRound } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import type { Random } from "../ports/clock.ts"
import { seededRandom } from "../ports/seeded-random.ts"
import { makeAbstention } from "../round/abstention.ts"
import { drawPoint, makeContribution } from "../round/contribution.ts"
import { drawLot } from "../round/eligibility.ts"
import { extendWindow } from "../round/ending.ts"
import { makeRequest } from "../round/request.ts"
import { dueEntry } from "../round/schedule.ts"
import { openTally } from "../round/share.ts"
import { contextOf } from "../round/context.ts"
import { makeAbsence, makeStatement } from "../round/statement.ts"
import { SampleNode } from "./sample-node.ts"
import { makeSampleKeys } from "./sample-keys.ts"
import type { SampleKeys, SampleMember, SampleParty, SampleRequester } from "./sample-keys.ts"

export class SampleLedger {
    readonly keys: SampleKeys
    readonly operator: Signer
    readonly node: SampleNode
    readonly entries: Entry[] = []
    /** states[i] is the state after entry i. */
    readonly states: ChainState[] = []
    readonly random: Random
    /** 2027-01-15T08:00:00Z, and a millisecond later with each entry. */
    time = 1_800_000_000_000

    constructor(seed: string) {
        this.random = seededRandom(seed)
        this.keys = makeSampleKeys(this.random)
        this.node = new SampleNode(seed)
        this.operator = seedSigner(this.random(32))
        this.log(this.#genesis())
    }

    get state(): ChainState {
        const state = this.states.at(-1)
        if (state === undefined) throw new Error("the sample has no genesis yet")
        return state
    }

    /** Appends what an honest ledger server would, or throws. */
    log(entry: Entry): void {
        const before = this.states.at(-1)
        const after = before === undefined ? begin(entry) : apply(before, entry)
        verifyEntry(before ?? after, entry)
        this.entries.push(entry)
        this.states.push(after)
    }

    #genesis(): Genesis {
        const { ledgerSeed, messageSeed, vrfSeed } = this.keys
        return {
            kind: "genesis",
            time: this.now(),
            version: ledgerVersion,
            name: "sample",
            salt: this.random(32),
            ledgerKey: seedSigner(ledgerSeed).publicKey,
            messageKey: seedSigner(messageSeed).publicKey,
            vrfKey: vrfPublicKey(vrfSeed),
            origin: "tallylight.example/sample",
            witnesses: [],
            quorum: 0,
            parameters: {
                expectedContributors: 2,
                minimumContributors: 2,
                contributionWindowMs: 10_000,
                decryptionWindowMs: 10_000,
                queueLength: 3,
                registrationRounds: 100,
                everyoneAnswers: true,
                admission: "listed",
                operatorKey: this.operator.publicKey,
            },
        }
    }

    now(): number {
        this.time += 1
        return this.time
    }

    admit(identity: Uint8Array, admitted: boolean): void {
        const sequence = this.state.admissionSequence + 1
        const admission = makeAdmission(this.state.chain, this.operator, { identity, admitted, sequence })
        this.log({ ...admission, kind: "admission", time: this.now() })
    }

    registerParty(party: SampleParty, sequence = 0): void {
        const registration = makePartyRegistration(this.state.chain, party, sequence)
        this.log({ ...registration, kind: "party-registration", time: this.now() })
    }

    registerRequester(requester: SampleRequester, sequence = 0): void {
        const { chain } = this.state
        const { signer, members, polynomial } = requester
        const [first] = members
        if (members.length === 1 && first !== undefined) {
            const registration = makeSoloRegistration(chain, first, sequence, this.random(32))
            this.log({ ...registration, kind: "requester-registration", time: this.now() })
            return
        }
        const plan = {
            identity: signer.publicKey,
            dealt: true,
            commitments: commitPolynomial(polynomial).map(encodePoint),
            identities: members.map((member) => member.signer.publicKey),
        }
        const joined = members.map((own) => joinCommittee(chain, plan, { ...own, random: this.random(32) }))
        const registration = makeRequesterRegistration(chain, plan, sequence, signer, joined)
        this.log({ ...registration, kind: "requester-registration", time: this.now() })
    }

    registerNode(sequence = 0): void {
        const registration = this.node.registration(this.state.chain, sequence)
        this.log({ ...registration, kind: "node-registration", time: this.now() })
    }

    commit(first: number, count: number): void {
        const commitment = this.node.commitment(this.state.chain, first, count)
        this.log({ ...commitment, kind: "commitment", time: this.now() })
    }

    /** The entropy node's pulse about the latest beacon. */
    pulse(): void {
        const beacon = this.state.signable.at(-1)
        if (beacon === undefined) throw new Error("the sample has no beacon yet")
        const time = this.now()
        this.log({ ...this.node.pulse(this.state, beacon, time), kind: "pulse", time })
    }

    revoke(signer: Signer, sequence: number): void {
        this.log({
            ...makeRevocation(this.state.chain, signer, sequence),
            kind: "revocation",
            time: this.now(),
        })
    }

    request(requester: SampleRequester): void {
        const registered = [...this.state.requesters.values()].find(
            ({ members }) => String(members[0]) === String(requester.members[0]?.signer.publicKey),
        )
        const Y = registered?.commitments[0]
        if (registered === undefined || Y === undefined)
            throw new Error("the sample requester is not registered")
        const fields = { Y, nonce: this.random(32), sequence: registered.requestSequence + 1, notBefore: 0 }
        const request = makeRequest(this.state.chain, requester.signer, fields)
        this.log({ ...request, kind: "request", time: this.now() })
    }

    /** What the ledger server owes now: a ticket, a tally, a beacon, a void. */
    due(): void {
        const entry = dueEntry(this.state, this.keys.vrfSeed, this.now())
        if (entry === undefined) throw new Error("nothing is due in the sample")
        this.log(entry)
    }

    open(): OpenRound {
        const { current } = this.state
        if (current?.phase !== "open") throw new Error("no round of the sample is open")
        return current
    }

    sealed(): SealedRound {
        const { current } = this.state
        if (current?.phase !== "sealed") throw new Error("no round of the sample is sealed")
        return current
    }

    /** The party's contribution, or its abstention where it was not elected. */
    answer(party: SampleParty, says: "nothing" | "node" | "party" = "nothing"): Entry {
        const { chain } = this.state
        const current = this.open()
        const { signer, vrfSeed } = party
        const lot = drawLot(vrfSeed, current)
        if (!lot.elected) {
            return { ...makeAbstention(chain, current, signer, lot), kind: "abstention", time: this.now() }
        }
        const point = drawPoint(new Uint8Array(), this.random(64))
        const own = { signer, lot, point, statement: this.#statement(says, signer.publicKey) }
        const contribution = makeContribution(chain, current, own, this.random)
        return { ...contribution, kind: "contribution", time: this.now() }
    }

    #statement(says: "nothing" | "node" | "party", identity: Uint8Array): Uint8Array {
        if (says === "nothing") return new Uint8Array()
        if (says === "party") return makeAbsence("the entropy node does not answer")
        const context = contextOf(this.state.chain, this.open())
        const rest = { simulated: true, state: "healthy", lock: "locked", bytes: 4096, failures: 0 } as const
        const sources = [{ name: "chip", kind: "atecc608a", ...rest } as const]
        const account = { time: this.time, reseeds: 7, sources }
        return makeStatement(context, identity, this.node.signer, account)
    }

    share(sealed: SealedRound, { index, signer, secret }: SampleMember): RecordedShare {
        const own = { member: index, signer, secret, random: this.random(32) }
        return openTally(this.state.chain, sealed, own)
    }

    logShare(sealed: SealedRound, member: SampleMember, valid = true): void {
        const share = this.share(sealed, valid ? member : { ...member, secret: member.secret + 1n })
        const identity = member.signer.publicKey
        this.log({ kind: "share", time: this.now(), round: sealed.round, identity, share, valid })
    }

    /** A ticket and everybody's answer. */
    answerAll(parties: readonly SampleParty[]): void {
        this.due()
        for (const party of parties) this.log(this.answer(party))
    }

    /** Opens the round in progress with that member's share. */
    openAlone(member: SampleMember | undefined): void {
        if (member === undefined) throw new Error("the sample has no such member")
        this.logShare(this.sealed(), member)
        this.due()
    }

    extend(): void {
        const { current } = this.state
        if (current === undefined) throw new Error("no round of the sample is in progress")
        this.log(extendWindow(this.state, current, this.now()))
    }
}

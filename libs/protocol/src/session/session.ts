/** A follower's connection to a PDL: hello, subscription, and the ledger as it grows (PROTOCOL.md §8). */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { signHello, verifyWelcome } from "../chain/hello.ts"
import type { Role } from "../chain/hello.ts"
import { wireVersion } from "../chain/genesis.ts"
import type { Signer } from "../chain/signer.ts"
import { decodeEntry } from "../ledger/entry.ts"
import type { Genesis } from "../ledger/state.ts"
import { closeCodes } from "../ports/channel.ts"
import type { Channel, CloseReason } from "../ports/channel.ts"
import type { Clock, Random } from "../ports/clock.ts"
import type { Message, Receipt } from "../wire/messages.ts"
import { openPeer } from "../wire/peer.ts"
import type { Handlers, Notice, Peer } from "../wire/peer.ts"
import { Refusal, require } from "../wire/refusal.ts"
import type { Replica, Step } from "./replica.ts"

/** What takes in the ledger as the PDL shows it. */
export type LedgerCopy = Pick<Replica, "next" | "rewind" | "suspicion" | "greeted" | "extend">

export type SessionOptions = {
    readonly channel: Channel
    readonly chain: Uint8Array
    readonly role: Role
    /** Only who is to be asked for shares needs to say who it is: every other message is signed by itself. */
    readonly signer?: Signer
    readonly replica: LedgerCopy
    readonly handlers?: Handlers
    readonly clock: Clock
    readonly random: Random
    readonly requestTimeoutMs: number
    /** Before the first steps of this connection. */
    readonly onOpen: (session: Session) => void
    /** Certain steps, in order. Must not wait for answers of this connection. */
    readonly onSteps: (steps: readonly Step[], session: Session) => void
    /** The PDL logged, or refused, what was answered to its request `id`. */
    readonly onVerdict?: (id: number, verdict: Receipt | Message<"RespError">) => void
    readonly onFault: (error: unknown) => void
}

export type SessionEnd = {
    readonly reason: CloseReason
    /** What the PDL did that its own ledger forbids; nobody should connect to it again before looking into it. */
    readonly breach: Refusal | undefined
}

export type Session = {
    readonly peer: Peer
    readonly genesis: Genesis
    /** Entries that the ledger had when this connection subscribed: what was before is history. */
    readonly size: number
    /** The PDL's clock minus ours, at the hello, to within the time a message takes. */
    readonly clockAheadMs: number
    /** Resolves once the connection is gone. */
    readonly ended: Promise<SessionEnd>
}

/** What a follower accepts: an Event of the server's largest size. */
const limits = { frameBytes: 1024 * 1024, concurrentRequests: 16, failures: { burst: 16, perMinute: 16 } }

/** Rejects with PeerRefused, or with a Refusal where the PDL is not the one of that chain. */
export async function openSession(options: SessionOptions): Promise<Session> {
    const { channel, chain, replica, clock, requestTimeoutMs, onFault, onVerdict } = options
    replica.rewind()
    let breach: Refusal | undefined
    let session: Session | undefined
    const early: Step[] = []
    const onNotice = (notice: Notice, peer: Peer): Promise<void> => {
        if (notice.type === "Receipt") onVerdict?.(notice.id, notice.body.receipt)
        else if (notice.type === "RespError") onVerdict?.(notice.id, notice.body)
        else {
            try {
                const steps = replica.extend(notice.body)
                if (session === undefined) early.push(...steps)
                else if (steps.length > 0) options.onSteps(steps, session)
            } catch (error) {
                if (!(error instanceof Refusal)) throw error
                breach = error
                peer.close(closeCodes.policy, error.code)
            }
        }
        return Promise.resolve()
    }
    const handlers = options.handlers ?? {}
    const peer = openPeer({
        ...{ channel, side: "dialler", chain, handlers, limits, clock, requestTimeoutMs, onNotice, onFault },
    })
    const ended = peer.closed.then((reason) => ({ reason, breach: breach ?? replica.suspicion }))
    try {
        const { genesis, checkpoint, clockAheadMs } = await greet(peer, options)
        replica.greeted(genesis, checkpoint)
        const { size } = await peer.request("ReqSubscribe", {
            ...{ kinds: null, index: replica.next, round: null },
        })
        session = { peer, genesis, size, clockAheadMs, ended }
        options.onOpen(session)
        if (early.length > 0) options.onSteps(early, session)
        return session
    } catch (error) {
        peer.close(closeCodes.done, "")
        throw breach ?? replica.suspicion ?? error
    }
}

async function greet(
    peer: Peer,
    { chain, role, signer, clock, random }: SessionOptions,
): Promise<Pick<Session, "genesis" | "clockAheadMs"> & { readonly checkpoint: string }> {
    const versions = [wireVersion]
    const anonymous = { identity: null, answering: null, signature: null }
    const asked = clock.now()
    const nonce = random(32)
    const welcome = await peer.request("ReqHello", { versions, role, nonce, ...anonymous })
    const clockAheadMs = Math.round(welcome.time - (asked + clock.now()) / 2)
    require(equalBytes(sha256(welcome.genesis), chain), "wrong-chain")
    const genesis = decodeEntry(welcome.genesis)
    if (genesis.kind !== "genesis") throw new Refusal("bad-genesis")
    const { messageKey } = genesis
    const hello = { chain, role, clientNonce: nonce, messageKey }
    verifyWelcome({ ...hello, serverNonce: welcome.nonce }, welcome.signature)
    if (signer !== undefined) {
        const clientNonce = random(32)
        const signature = signHello(signer, { ...hello, clientNonce, serverNonce: welcome.nonce })
        const known = { identity: signer.publicKey, answering: welcome.nonce, signature }
        await peer.request("ReqHello", { versions, role, nonce: clientNonce, ...known })
    }
    return { genesis, checkpoint: welcome.checkpoint, clockAheadMs }
}

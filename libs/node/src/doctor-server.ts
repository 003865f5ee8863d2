/** What `doctor` looks at between here and a ledger server: the name, the connection, the chain, the clocks, the ledger. */
import { lookup } from "node:dns/promises"
import { once } from "node:events"
import { connect as connectTcp, isIP } from "node:net"
import { connect as connectTls } from "node:tls"

import { toHex } from "@tallylight/crypto/bytes.js"
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { wireVersion } from "@tallylight/protocol/chain/genesis.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { Replica } from "@tallylight/protocol/session/replica.js"
import { openSession } from "@tallylight/protocol/session/session.js"

import type { ChainAddress } from "./chain-address.ts"
import { fail, ok, warn, type Check, type Finding } from "./doctor.ts"
import { fetchBytes } from "./fetch-bytes.ts"
import { replayLedger } from "./doctor-ledger.ts"
import { findChain, httpAddress } from "./find-chain.ts"
import { readAuthorities, type ServerSettings } from "./server-settings.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { tlsProblem } from "./tls-problem.ts"
import { UserError } from "./user-error.ts"
import { connectWebSocket } from "./ws-connect.ts"

export type Whom = ServerSettings & {
    /** The chain that the data directory belongs to; undefined before it was ever used. */
    readonly pinned: () => Promise<Uint8Array | undefined>
    /** The last one that was relied on here; undefined where there is none. */
    readonly seen: () => Promise<Checkpoint | undefined>
}

export type StateCheck = {
    readonly name: string
    readonly look: (state: ChainState) => Finding | Promise<Finding>
}

/** `further` are checks of what the ledger says, made where it could be read. */
export function serverChecks(whom: Whom, further: readonly StateCheck[] = []): Check[] {
    const url = addressOf(whom)
    if (url === undefined) {
        const look = (): Promise<Finding> =>
            Promise.resolve(fail(`“${whom.url}” is no address`, "give one such as http://127.0.0.1:7710"))
        return [{ name: "server", look }]
    }
    let state: ChainState | undefined
    let address: ChainAddress | undefined
    let aheadMs: number | undefined
    const find = async (signal: AbortSignal): Promise<Finding> => {
        const pinned = await whom.pinned()
        const found = await findChain({ ...whom, chain: whom.chain ?? (pinned && toHex(pinned)) }, signal)
        address = found
        return judgeChain(found, whom.chain, pinned)
    }
    const greet = async (signal: AbortSignal): Promise<Finding> => {
        if (address === undefined) return unasked
        aheadMs = await clockAhead(address, signal)
        return ok(`answers at ${address.socket}, in protocol version ${wireVersion}`)
    }
    const replay = async (signal: AbortSignal): Promise<Finding> => {
        if (address === undefined || aheadMs === undefined) return unasked
        const replayed = await replayLedger(address, await whom.seen(), signal)
        state = replayed.state
        return replayed.finding
    }
    return [
        { name: "host", look: () => judgeHost(url) },
        { name: "connection", look: (signal) => judgeConnection(url, signal) },
        ...(url.protocol === "https:"
            ? [
                  {
                      name: "certificate",
                      look: (signal: AbortSignal) => judgeCertificate(url, whom.caFile, signal),
                  },
              ]
            : []),
        { name: "server", look: (signal) => judgeHealth(httpAddress(whom.url), whom.caFile, signal) },
        { name: "chain", look: find },
        { name: "websocket", look: greet },
        { name: "clock", look: () => Promise.resolve(aheadMs === undefined ? unasked : judgeClock(aheadMs)) },
        { name: "ledger", look: replay },
        ...further.map(({ name, look }) => ({
            name,
            look: async () => (state === undefined ? unasked : look(state)),
        })),
    ]
}

function addressOf({ url }: ServerSettings): URL | undefined {
    try {
        return new URL(httpAddress(url))
    } catch (error) {
        if (error instanceof UserError) return undefined
        throw error
    }
}

const unasked = warn("not looked at, since what comes before it failed", "mend that first")

function hostOf({ hostname }: URL): string {
    return hostname.replace(/^\[|\]$/g, "")
}

function portOf({ port, protocol }: URL): number {
    return Number(port || (protocol === "https:" ? 443 : 80))
}

async function judgeHost(url: URL): Promise<Finding> {
    const host = hostOf(url)
    try {
        const found = await lookup(host, { all: true })
        const addresses = found.map(({ address }) => address)
        const isRemote = addresses.some((address) => !/^(127\.|::1$)/.test(address))
        if (isRemote && url.protocol === "http:")
            return warn(
                `${host} is ${addresses.join(", ")}, and plain HTTP lets everybody on the way read along`,
                "use https:// where the server has it; what is signed cannot be changed either way",
            )
        return ok(`${host} is ${addresses.join(", ")}`)
    } catch {
        return fail(`the name ${host} is not known`, "correct --url, or look at this machine's name server")
    }
}

async function judgeConnection(url: URL, signal: AbortSignal): Promise<Finding> {
    const to = `${hostOf(url)} port ${portOf(url)}`
    const socket = connectTcp({ host: hostOf(url), port: portOf(url) })
    try {
        await once(socket, "connect", { signal })
        return ok(`${to} takes connections`)
    } catch (error) {
        signal.throwIfAborted()
        return fail(
            `${to} takes none: ${reasonOf(error)}`,
            "start the server there, or look at firewalls between",
        )
    } finally {
        socket.destroy()
    }
}

const soonDays = 14

async function judgeCertificate(url: URL, caFile: string | undefined, signal: AbortSignal): Promise<Finding> {
    const ca = await readAuthorities(caFile)
    const host = hostOf(url)
    // Addresses have no place in the handshake, and are still compared with the certificate.
    const named = isIP(host) === 0 ? { servername: host } : {}
    const socket = connectTls({ host, port: portOf(url), ...named, ...(ca !== undefined && { ca }) })
    try {
        await once(socket, "secureConnect", { signal })
        const { valid_to: end } = socket.getPeerCertificate()
        const days = Math.floor((Date.parse(end) - systemClock.now()) / 86_400_000)
        const says = `good for ${url.host}, until ${end}`
        return days < soonDays ? warn(says, "its operator should renew it now") : ok(says)
    } catch (error) {
        signal.throwIfAborted()
        return fail(
            `not good for ${url.host}: ${tlsProblem(error) ?? reasonOf(error)}`,
            "its operator must mend it, or correct --url or --ca",
        )
    } finally {
        socket.destroy()
    }
}

async function judgeHealth(base: string, caFile: string | undefined, signal: AbortSignal): Promise<Finding> {
    const ca = await readAuthorities(caFile)
    const answer = await fetchBytes(`${base}/healthz`, { maxBytes: 1024, timeoutMs: 10_000, signal, ca })
    if (answer !== undefined) return ok(`healthy at ${base}`)
    return fail(`${base}/healthz answers 404`, "correct --url: what is there is no ledger server")
}

function judgeChain(
    { hex, name }: ChainAddress,
    given: string | undefined,
    pinned: Uint8Array | undefined,
): Finding {
    if (pinned !== undefined && toHex(pinned) !== hex)
        return fail(
            `the data directory belongs to chain ${toHex(pinned)}, and the server has ${hex} (${name})`,
            "use another --data for another chain, and ask its operator if there should be only one",
        )
    if (given === undefined && pinned === undefined)
        return warn(
            `${hex} (${name}), because the server says so`,
            "compare this id with the one that its operator publishes, and give it with --chain",
        )
    return ok(`${hex} (${name})`)
}

const limits = { frameBytes: 1024 * 1024, bufferedBytes: 1024 * 1024, stalledMs: 10_000, heartbeatMs: 10_000 }

/** The server's clock minus this one, corrected by half of the round trip of the hello. */
async function clockAhead({ id: chain, socket, ca }: ChainAddress, signal: AbortSignal): Promise<number> {
    const channel = await connectWebSocket(socket, limits, systemClock, { signal, ca })
    const { peer, clockAheadMs } = await openSession({
        ...{ channel, chain, role: "observer", clock: systemClock, random: systemRandom },
        // Its entries are not asked about; one that breaks a rule ends this connection like any other.
        ...{ replica: new Replica({ chain, proves: () => false }), requestTimeoutMs: 10_000 },
        ...{ onOpen: () => undefined, onSteps: () => undefined, onFault: () => undefined },
    })
    peer.close(1000, "goodbye")
    return clockAheadMs
}

const tolerableMs = 1000
/** From here on the apps complain as well. */
const wrongMs = 5000

export function judgeClock(aheadMs: number): Finding {
    const off = Math.abs(aheadMs)
    const direction = aheadMs > 0 ? "behind" : "ahead of"
    if (off <= tolerableMs) return ok(`within ${off} ms of the server's`)
    const says = `${off} ms ${direction} the server's; deadlines go by the server's`
    const advice = "let NTP set this machine's clock; if it is right, tell the server's operator"
    return off > wrongMs ? fail(says, advice) : warn(says, advice)
}

function reasonOf(error: unknown): string {
    const reason = error instanceof Error ? error.message : String(error)
    return reason.trim()
}

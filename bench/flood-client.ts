/**
 * Sends contributions over many connections, as fast as they are read; each that is closed is opened again. Arguments:
 * the address, the chain's id, how many connections, and what is wrong with the contributions.
 */
import { fromHex } from "@tallylight/crypto/bytes.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { subprotocol } from "@tallylight/node/ws-options.js"
import { drawPoint, makeContribution, signContribution } from "@tallylight/protocol/round/contribution.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import { encodeFrame } from "@tallylight/protocol/wire/frame.js"
import { WebSocket } from "ws"
import { openRoundOfAll } from "./open-round.ts"

const [url = "", id = "", connections = "", wrong = ""] = process.argv.slice(2)
const ids = 128

/** All its proofs hold but the last one that is looked at. */
function frames(): Uint8Array[] {
    const ledger = openRoundOfAll()
    const { chain } = ledger.state
    const current = ledger.open()
    const [party] = ledger.keys.parties
    if (party === undefined) throw new Error("the sample has parties")
    const { signer, vrfSeed } = party
    const lot = drawLot(vrfSeed, current)
    const point = drawPoint(new Uint8Array(), systemRandom(64))
    const own = { signer, lot, point, statement: new Uint8Array() }
    const made = makeContribution(chain, current, own, systemRandom)
    const pi = made.pi.with(40, (made.pi[40] ?? 0) ^ 1)
    const round = wrong === "round" ? made.round + 1 : made.round
    const body = {
        ...signContribution(chain, current, signer, { ...made, pi }),
        round,
        ticket: current.ticket,
    }
    return Array.from({ length: ids }, (_, at) => {
        return encodeFrame({ type: "ReqContribution", id: 2 * at + 3, chain: fromHex(id), body })
    })
}

const hello = encodeFrame({
    ...{ type: "ReqHello", id: 1, chain: fromHex(id) },
    body: {
        ...{ versions: [1], role: "observer", nonce: systemRandom(32) },
        ...{ identity: null, answering: null, signature: null },
    },
})
const contributions = frames()

function flood(): void {
    const address = `${url.replace("http", "ws")}/v1/chains/${id}/socket`
    const socket = new WebSocket(address, subprotocol, { perMessageDeflate: false })
    let at = 0
    const send = (): void => {
        while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 64 * 1024) {
            const frame = contributions[at++ % ids]
            if (frame !== undefined) socket.send(frame, { binary: true })
        }
    }
    socket.on("open", () => {
        socket.send(hello, { binary: true })
        send()
    })
    // Whatever is answered makes room for more.
    socket.on("message", send)
    socket.on("error", () => undefined)
    socket.on("close", () => setTimeout(flood, 10))
}

for (let count = 0; count < Number(connections); count++) flood()

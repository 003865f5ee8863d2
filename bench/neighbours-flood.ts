/**
 * Sends forged contributions and empty questions to one chain until it is killed. Arguments: the server's address, the
 * chain's id, how many connections. Says so once it has begun.
 */
import { findChain } from "@tallylight/node/find-chain.js"
import { Follower } from "../test/attacks/client.ts"
import { Forger, askForNothing, untilClosed } from "../test/attacks/floods.ts"

const [url = "", chain = "", connections = ""] = process.argv.slice(2)
const address = await findChain({ url, chain }, new AbortController().signal)
const forger = await Forger.join(address, await Follower.connect(address))
for (let count = 0; count < Number(connections); count++) void flood(count % 2 === 0)
process.send?.("begun")

async function flood(forges: boolean): Promise<never> {
    for (;;) await untilClosed(address, forges ? (stranger) => forger.send(stranger) : askForNothing)
}

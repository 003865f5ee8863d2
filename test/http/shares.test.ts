/** Members that a server asks for their shares: only one that is there and says nothing has run into the timeout. */
import { signHello } from "@tallylight/protocol/chain/hello.js"
import { makeSoloRegistration } from "@tallylight/protocol/chain/requester.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { expect, test } from "vitest"
import { anonymousHello, dial } from "./dial.ts"
import { serveSample } from "./serving.ts"
import type { Serving } from "./serving.ts"

/** Up to where the round of the committee is sealed, and none of its members has been asked. */
function sealedSample(): SampleLedger {
    const sample = sampleLedger()
    sample.entries.splice(
        sample.entries.findIndex((entry) => entry.kind === "tally" && entry.round === 3) + 1,
    )
    return sample
}

/** A member of the committee that does not answer. */
async function join(server: Serving, { keys }: SampleLedger, onAsked: () => void): Promise<Peer> {
    const ReqDecryption = (): Promise<never> => {
        onAsked()
        return new Promise(() => undefined)
    }
    const peer = await dial(server, undefined, { ReqDecryption })
    const { nonce: serverNonce } = await peer.request("ReqHello", { ...anonymousHello, role: "requester" })
    const signer = keys.committee.members[0]?.signer ?? keys.committee.signer
    const { chain, messageKey } = server.chain
    const hello = { chain, role: "requester", messageKey: messageKey.publicKey, serverNonce } as const
    const nonce = new Uint8Array(32).fill(1)
    const signature = signHello(signer, { ...hello, clientNonce: nonce })
    const named = { identity: signer.publicKey, answering: serverNonce, signature }
    await peer.request("ReqHello", { ...anonymousHello, role: "requester", nonce, ...named })
    return peer
}

test("a member that is away, or goes, is no timeout; one that stays and is silent is", async () => {
    const sample = sealedSample()
    const server = await serveSample(sample, { limits: { requestTimeoutMs: 500 } })
    expect(server.chain.state.current?.phase).toBe("sealed")

    const newcomer = await dial(server)
    await newcomer.request("ReqHello", anonymousHello)
    const own = { signer: seedSigner(new Uint8Array(32).fill(2)), secret: 5n }
    const made = makeSoloRegistration(server.chain.chain, own, 0, new Uint8Array(32).fill(9))
    await newcomer.request("ReqRegister", { role: "requester", ...made })
    expect(server.hits).toEqual([])

    await new Promise<void>((resolve) => {
        const gone = join(server, sample, () => void gone.then((peer) => peer.close(1000, "")).then(resolve))
    })
    await expect.poll(() => server.chain.connections, { timeout: 30_000 }).toBe(1)
    expect(server.hits).toEqual([])

    await join(server, sample, () => undefined)
    await expect.poll(() => server.hits.at(-1), { timeout: 30_000 }).toBe("requestTimeoutMs")
    await server.close()
})

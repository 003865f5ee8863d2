import { once } from "node:events"
import { createServer } from "node:http"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"

import { toHex } from "@tallylight/crypto/bytes.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { verifierKeyOf } from "./chain-identity.ts"
import { findChain } from "./find-chain.ts"

const signal = new AbortController().signal
const { chain, genesis } = new SampleLedger("own").state
const other = new SampleLedger("other").state.genesis

/** What the server says its first entry is. */
let shown = genesis
let server: Server
let url: string

beforeEach(async () => {
    shown = genesis
    server = createServer((request, response) => {
        const chains = [{ id: toHex(chain), name: "sample" }]
        const genesisBytes = toHex(encodeEntry(shown))
        response.end(JSON.stringify(request.url === "/v1/chains" ? { chains } : { genesisBytes }))
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
    server.closeAllConnections()
    server.close()
})

describe("a ledger key that was given", () => {
    test.each([
        ["in hexadecimal", toHex(genesis.ledgerKey)],
        ["in capitals", toHex(genesis.ledgerKey).toUpperCase()],
        ["as a verifier key", verifierKeyOf(genesis)],
    ])("%s, is held against the genesis", async (_, ledgerKey) => {
        expect(await findChain({ url, ledgerKey }, signal)).toMatchObject({ hex: toHex(chain) })
    })

    test.each([
        ["another key", toHex(other.ledgerKey), "compare both with what its operator publishes"],
        ["a verifier key of another log", verifierKeyOf(other), "compare both"],
        [
            "the same key under another name",
            verifierKeyOf({ ...genesis, origin: "elsewhere.example" }),
            "compare both",
        ],
        ["no key", "abc", "is no ledger key"],
    ])("is refused where it is %s", async (_, ledgerKey, problem) => {
        await expect(findChain({ url, ledgerKey }, signal)).rejects.toThrow(problem)
    })

    test("is not compared with a genesis that is not the chain's", async () => {
        shown = { ...genesis, ledgerKey: other.ledgerKey }
        const sought = findChain({ url, ledgerKey: toHex(other.ledgerKey) }, signal)
        await expect(sought).rejects.toThrow("does not hash to the id of its chain")
    })
})

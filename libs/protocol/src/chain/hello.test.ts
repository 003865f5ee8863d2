import { describe, expect, test } from "vitest"
import { signHello, signWelcome, verifyHello, verifyWelcome } from "./hello.ts"
import { seedSigner } from "./signer.ts"

const server = seedSigner(new Uint8Array(32).fill(1))
const client = seedSigner(new Uint8Array(32).fill(2))
const hello = {
    chain: new Uint8Array(32).fill(3),
    role: "party",
    clientNonce: new Uint8Array(32).fill(4),
    serverNonce: new Uint8Array(32).fill(5),
    messageKey: server.publicKey,
} as const
const badSignature: unknown = expect.objectContaining({ code: "bad-signature" })

const others = [
    ["chain", { chain: new Uint8Array(32) }],
    ["role", { role: "requester" }],
    ["nonce of the client", { clientNonce: new Uint8Array(32) }],
    ["nonce of the server", { serverNonce: new Uint8Array(32) }],
    ["nonces exchanged", { clientNonce: hello.serverNonce, serverNonce: hello.clientNonce }],
    ["server", { messageKey: client.publicKey }],
] as const

describe("who says hello", () => {
    const signature = signHello(client, hello)

    test("is who signed it, for one connection of one role to one server", () => {
        expect(() => verifyHello(client.publicKey, hello, signHello(client, hello))).not.toThrow()
        expect(() => verifyHello(server.publicKey, hello, signature)).toThrow(badSignature)
    })

    test.each(others)("is not for another %s", (_, other) => {
        expect(() => verifyHello(client.publicKey, { ...hello, ...other }, signature)).toThrow(badSignature)
    })
})

describe("a welcome", () => {
    const signature = signWelcome(server, hello)

    test("is the server's own, and no hello", () => {
        expect(() => verifyWelcome(hello, signWelcome(server, hello))).not.toThrow()
        expect(() => verifyWelcome(hello, signWelcome(client, hello))).toThrow(badSignature)
        expect(() => verifyWelcome(hello, signHello(server, hello))).toThrow(badSignature)
        expect(() => verifyHello(server.publicKey, hello, signature)).toThrow(badSignature)
    })

    test.each(others)("is not for another %s", (_, other) => {
        expect(() => verifyWelcome({ ...hello, ...other }, signature)).toThrow(badSignature)
    })
})

/** Who is at the two ends of a connection (PROTOCOL.md §8.2). */
import { utf8 } from "@tallylight/crypto/bytes.js"
import { tags } from "../tags.ts"
import type { Message } from "../wire/messages.ts"
import { sign, verifySignature } from "./signer.ts"
import type { Signer, Statement } from "./signer.ts"

export type Role = Message<"ReqHello">["role"]

type Hello = {
    readonly chain: Uint8Array
    readonly role: Role
    readonly clientNonce: Uint8Array
    readonly serverNonce: Uint8Array
    /** Names the PDL, so that nobody can pass the signature on to another one. */
    readonly messageKey: Uint8Array
}

function statement(tag: string, hello: Hello): Statement {
    const { chain, role, clientNonce, serverNonce, messageKey } = hello
    return [tag, chain, utf8(role), clientNonce, serverNonce, messageKey]
}

export function signHello(signer: Signer, hello: Hello): Uint8Array {
    return sign(signer, statement(tags.signHello, hello))
}

export function verifyHello(identity: Uint8Array, hello: Hello, signature: Uint8Array): void {
    verifySignature(identity, statement(tags.signHello, hello), signature)
}

export function signWelcome(messageKey: Signer, hello: Hello): Uint8Array {
    return sign(messageKey, statement(tags.signWelcome, hello))
}

export function verifyWelcome(hello: Hello, signature: Uint8Array): void {
    verifySignature(hello.messageKey, statement(tags.signWelcome, hello), signature)
}

/**
 * RSASSA-PKCS1-v1_5 with SHA-512 for samples, whose private key everybody may know: it takes a time that depends on the
 * key. What is worth a secret is signed in hardware or by the platform.
 */
import { PKCS1_SHA512 } from "micro-rsa-dsa-dh/rsa.js"
import { toHex } from "./bytes.ts"

export type SamplePrivateKey = { readonly modulus: Uint8Array; readonly privateExponent: Uint8Array }

export function signRsaSha512(
    { modulus, privateExponent }: SamplePrivateKey,
    message: Uint8Array,
): Uint8Array {
    const [n, d] = [modulus, privateExponent].map((bytes) => BigInt(`0x${toHex(bytes)}`))
    if (n === undefined || d === undefined) throw new RangeError("an RSA key has two parts")
    return PKCS1_SHA512.sign({ n, d }, message)
}

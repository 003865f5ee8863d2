/**
 * token-key MODULE TOKEN PIN import LABEL: puts an RSA-4096 key into the token that may leave it.
 * token-key MODULE TOKEN PIN export LABEL: prints, for each secret part of the key, what asking for it brings.
 */
import { generateKeyPairSync } from "node:crypto"

import pkcs11js from "pkcs11js"

const [, , path = "", token = "", pin = "", action = "", label = ""] = process.argv
const module = new pkcs11js.PKCS11(path)
module.C_Initialize()
const slot = module.C_GetSlotList(true).find((each) => module.C_GetTokenInfo(each).label.trim() === token)
if (slot === undefined) throw new Error(`no token ${token}`)
const session = module.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
module.C_Login(session, pkcs11js.CKU_USER, pin)

const parts = {
    CKA_PRIVATE_EXPONENT: "d",
    CKA_PRIME_1: "p",
    CKA_PRIME_2: "q",
    CKA_EXPONENT_1: "dp",
    CKA_EXPONENT_2: "dq",
    CKA_COEFFICIENT: "qi",
} as const
const names = Object.keys(parts) as (keyof typeof parts)[]

if (action === "import") {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 4096 })
    const jwk = privateKey.export({ format: "jwk" })
    const part = (value = ""): Buffer => Buffer.from(value, "base64url")
    module.C_CreateObject(session, [
        { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
        { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_RSA },
        { type: pkcs11js.CKA_TOKEN, value: true },
        { type: pkcs11js.CKA_PRIVATE, value: true },
        { type: pkcs11js.CKA_LABEL, value: label },
        { type: pkcs11js.CKA_SIGN, value: true },
        { type: pkcs11js.CKA_SENSITIVE, value: false },
        { type: pkcs11js.CKA_EXTRACTABLE, value: true },
        { type: pkcs11js.CKA_MODULUS, value: part(jwk.n) },
        { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: part(jwk.e) },
        ...names.map((name) => ({ type: pkcs11js[name], value: part(jwk[parts[name]]) })),
    ])
} else {
    module.C_FindObjectsInit(session, [
        { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
        { type: pkcs11js.CKA_LABEL, value: label },
    ])
    const key = module.C_FindObjects(session)
    if (key === null) throw new Error(`no key ${label}`)
    for (const name of names) {
        try {
            const [found] = module.C_GetAttributeValue(session, key, [{ type: pkcs11js[name] }])
            process.stdout.write(`${found?.value.length ?? 0} bytes\n`)
        } catch (error) {
            process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
        }
    }
}
module.C_Finalize()

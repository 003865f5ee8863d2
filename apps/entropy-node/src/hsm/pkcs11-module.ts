/** PKCS#11 v2.40 as far as it is needed here: one session of a logged-in user, random bytes, one kind of RSA key. */
import { UserError } from "@tallylight/node/user-error.js"
// The package gives its constants only in this way to modules of the newer kind.
import pkcs11js from "pkcs11js"
import type { PKCS11, Template, Version } from "pkcs11js"

import type { Handle, ModuleCalls, OpenedToken, Request, TokenKey } from "./module-calls.ts"

const keyBits = 4096
const publicExponent = Buffer.from([1, 0, 1])

/** CKF_HW_SLOT of PKCS#11 §3.2, which the package does not name. */
const hardwareSlot = 4

/** Longest list of keys of one label that is worth telling apart from two. */
const mostKeys = 16

/** A module may be initialised once in a process. */
export class Pkcs11Module implements ModuleCalls {
    readonly #module: PKCS11

    constructor(path: string) {
        this.#module = new pkcs11js.PKCS11()
        try {
            this.#module.load(path)
        } catch (error) {
            const said = error instanceof Error ? error.message : String(error)
            throw new UserError(`cannot load the PKCS#11 module ${path}: ${said}`, { cause: error })
        }
        this.#module.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
    }

    open({ token, pin, simulated }: Request<"open">): OpenedToken {
        const slot = this.#slotOf(token)
        const isHardware = (this.#module.C_GetSlotInfo(slot).flags & hardwareSlot) !== 0
        if (!isHardware && !simulated) {
            throw new UserError(
                `the token ${token} is software, by its own word; where that is meant, set “simulated” to true, and it ` +
                    `is said of all that comes from it`,
            )
        }
        const info = this.#module.C_GetTokenInfo(slot)
        refuseLocked(token, info.flags)
        const session = this.#module.C_OpenSession(
            slot,
            pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION,
        )
        this.#login(session, pin)
        const library = this.#module.C_GetInfo()
        return {
            session: toText(session),
            facts: {
                token,
                hardwareSlot: isHardware,
                serialNumber: printable(info.serialNumber),
                manufacturer: printable(info.manufacturerID),
                model: printable(info.model),
                firmware: dotted(info.firmwareVersion),
                library: `${printable(library.libraryDescription)} ${dotted(library.libraryVersion)}`,
            },
        }
    }

    random({ session, length }: Request<"random">): Uint8Array {
        return new Uint8Array(this.#module.C_GenerateRandom(toHandle(session), Buffer.alloc(length)))
    }

    findKeys({ session, label }: Request<"findKeys">): TokenKey[] {
        const open = toHandle(session)
        return this.#find(open, pkcs11js.CKO_PRIVATE_KEY, label).map((key) => {
            const flag = (type: number): boolean => this.#attribute(open, key, type)[0] === 1
            const isSensitive = flag(pkcs11js.CKA_SENSITIVE)
            const isExtractable = flag(pkcs11js.CKA_EXTRACTABLE)
            return {
                handle: toText(key),
                modulus: withoutZeros(this.#attribute(open, key, pkcs11js.CKA_MODULUS)),
                exponent: withoutZeros(this.#attribute(open, key, pkcs11js.CKA_PUBLIC_EXPONENT)),
                mayLeave: !isSensitive || isExtractable,
                isBornHere: flag(pkcs11js.CKA_LOCAL) && flag(pkcs11js.CKA_NEVER_EXTRACTABLE),
            }
        })
    }

    createKey({ session, label }: Request<"createKey">): void {
        const { CKA_TOKEN, CKA_LABEL, CKA_PRIVATE, CKA_SIGN, CKA_VERIFY, CKA_SENSITIVE, CKA_EXTRACTABLE } =
            pkcs11js
        const common = [
            { type: CKA_TOKEN, value: true },
            { type: CKA_LABEL, value: label },
        ]
        this.#module.C_GenerateKeyPair(
            toHandle(session),
            { mechanism: pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN },
            [
                ...common,
                { type: CKA_VERIFY, value: true },
                { type: pkcs11js.CKA_MODULUS_BITS, value: keyBits },
                { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: publicExponent },
            ],
            [
                ...common,
                { type: CKA_PRIVATE, value: true },
                { type: CKA_SIGN, value: true },
                { type: CKA_SENSITIVE, value: true },
                { type: CKA_EXTRACTABLE, value: false },
            ],
        )
    }

    sign({ session, key, message }: Request<"sign">): Uint8Array {
        const open = toHandle(session)
        const mechanism = { mechanism: pkcs11js.CKM_SHA512_RSA_PKCS }
        this.#module.C_SignInit(open, mechanism, toHandle(key))
        return new Uint8Array(this.#module.C_Sign(open, Buffer.from(message), Buffer.alloc(keyBits / 8)))
    }

    close({ session }: Request<"close">): void {
        this.#module.C_CloseSession(toHandle(session))
    }

    #slotOf(token: string): Buffer {
        const slots = this.#module.C_GetSlotList(true)
        const labels = slots.map((slot) => printable(this.#module.C_GetTokenInfo(slot).label))
        const [slot, ...others] = slots.filter((_, i) => labels[i] === token)
        const found = labels.filter((label) => label !== "").join(", ") || "none"
        if (slot === undefined) throw new UserError(`there is no token ${token}; the module has: ${found}`)
        if (others.length > 0)
            throw new UserError(`several tokens are called ${token}; give each a label of its own`)
        return slot
    }

    /** All sessions of a process share one login (PKCS#11 §5.6). */
    #login(session: Buffer, pin: string): void {
        try {
            this.#module.C_Login(session, pkcs11js.CKU_USER, pin)
        } catch (error) {
            if (error instanceof Error && error.message === "CKR_USER_ALREADY_LOGGED_IN") return
            this.#module.C_CloseSession(session)
            throw error
        }
    }

    #find(session: Buffer, keyClass: number, label: string): Buffer[] {
        const template: Template = [
            { type: pkcs11js.CKA_CLASS, value: keyClass },
            { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_RSA },
            { type: pkcs11js.CKA_LABEL, value: label },
        ]
        this.#module.C_FindObjectsInit(session, template)
        try {
            return this.#module.C_FindObjects(session, mostKeys)
        } finally {
            this.#module.C_FindObjectsFinal(session)
        }
    }

    #attribute(session: Buffer, key: Buffer, type: number): Uint8Array {
        return this.#module.C_GetAttributeValue(session, key, [{ type }])[0]?.value ?? new Uint8Array()
    }
}

function refuseLocked(token: string, flags: number): void {
    if ((flags & pkcs11js.CKF_USER_PIN_LOCKED) !== 0)
        throw new UserError(`the PIN of the token ${token} is locked; its security officer can set a new one`)
    if ((flags & pkcs11js.CKF_USER_PIN_FINAL_TRY) !== 0) {
        throw new UserError(
            `one more wrong PIN locks the token ${token}; log in once with the right one, with its vendor's tool, ` +
                `before this program does`,
        )
    }
}

function dotted({ major, minor }: Version): string {
    return `${major}.${minor}`
}

/** Text of a token is padded with blanks. */
function printable(padded: string): string {
    return padded.replace(/\0.*$/s, "").trim()
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
    const start = bytes.findIndex((byte) => byte !== 0)
    return start < 0 ? new Uint8Array() : new Uint8Array(bytes.slice(start))
}

function toText(handle: Buffer): Handle {
    return handle.toString("hex")
}

function toHandle(text: Handle): Buffer {
    return Buffer.from(text, "hex")
}

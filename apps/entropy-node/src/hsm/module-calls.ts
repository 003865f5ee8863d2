/** What a PKCS#11 module's own process is asked, and what it answers. Everything that crosses is plain data. */

/** A number that the module made up, in hexadecimal digits of the machine's byte order. */
export type Handle = string

export type OpenedToken = {
    readonly session: Handle
    readonly facts: Readonly<Record<string, string | boolean>>
}

export type TokenKey = {
    readonly handle: Handle
    /** Big-endian, without leading zeros. */
    readonly modulus: Uint8Array
    readonly exponent: Uint8Array
    /** Whether the token ever gives it away, in the clear or wrapped (CKA_SENSITIVE, CKA_EXTRACTABLE). */
    readonly mayLeave: boolean
    /** Whether it was made in this token and could never leave it, as far as the token knows. */
    readonly isBornHere: boolean
}

export interface ModuleCalls {
    open(request: {
        readonly token: string
        readonly pin: string
        /** Whether the caller knows that the module is software. */
        readonly simulated: boolean
    }): OpenedToken
    random(request: { readonly session: Handle; readonly length: number }): Uint8Array
    /** The RSA keys of that label. */
    findKeys(request: { readonly session: Handle; readonly label: string }): TokenKey[]
    createKey(request: { readonly session: Handle; readonly label: string }): void
    sign(request: {
        readonly session: Handle
        readonly key: Handle
        readonly message: Uint8Array
    }): Uint8Array
    close(request: { readonly session: Handle }): void
}

export type CallName = keyof ModuleCalls
export type Request<Name extends CallName> = Parameters<ModuleCalls[Name]>[0]
export type Result<Name extends CallName> = ReturnType<ModuleCalls[Name]>

export type Question = { readonly name: CallName; readonly request: unknown }

/** `sentence` is for the person at the terminal; `code` is the name of what a function of the module returned. */
export type Answer =
    | { readonly result: unknown }
    | { readonly sentence: string }
    | { readonly code: string; readonly method: string }

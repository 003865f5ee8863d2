/** Where a chain of a ledger server is. */
export type ChainAddress = {
    readonly id: Uint8Array
    readonly hex: string
    readonly name: string
    /** Of the read side over HTTP, ending in the chain's id. */
    readonly http: string
    readonly socket: string
    /** Certificates in PEM, to be trusted instead of the public authorities. */
    readonly ca: string | undefined
}

/** A local random value of a pulse: 64 bytes, SHA-512 over what at least two sources gave. */
export type LocalValue = {
    readonly value: Uint8Array
    readonly sources: readonly string[]
    readonly simulated: boolean
}

/** Whoever has the sources. Rejects with NotReady while too few of them are healthy. */
export type LocalValues = { readonly localValue: () => Promise<LocalValue> }

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type UnixMs = number

export interface Clock {
    /** The wall clock, which a person or a time server may set at any moment, forwards or back. */
    now(): UnixMs
    /**
     * Milliseconds since a moment that stays the same, not always whole ones. Goes on evenly whatever is done to the
     * wall clock, and stands while the machine is suspended: what every timeout and pause is measured by.
     */
    elapsed(): number
    /** Resolves once that many milliseconds have elapsed; rejects with the signal's reason if that comes first. */
    sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Cryptographically strong bytes from the operating system; in tests, from a printed seed. */
export type Random = (length: number) => Uint8Array

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type UnixMs = number

export interface Clock {
    now(): UnixMs
    /** Resolves once `now() >= time`; rejects with the signal's reason if that comes first. */
    until(time: UnixMs, signal?: AbortSignal): Promise<void>
}

/** Cryptographically strong bytes from the operating system; in tests, from a printed seed. */
export type Random = (length: number) => Uint8Array

/** What signs pulses: an RSA-4096 key that its holder never shows, in hardware or, said aloud, in software. */
import type { SourceFacts } from "../sources/source.ts"

export interface PulseSigner {
    /** Big-endian, 512 bytes. */
    readonly modulus: Uint8Array
    readonly exponent: number
    /** Whether the key lies in software. It is then said wherever its signatures appear. */
    readonly simulated: boolean
    /** What holds the key: token, serial number, firmware. */
    readonly facts: SourceFacts
    /**
     * RSASSA-PKCS1-v1_5 with SHA-512 (RFC 8017 §8.2) over `message`: 512 bytes. Rejects where the holder of the key
     * is gone; a later call finds it again once it is back.
     */
    sign(message: Uint8Array): Promise<Uint8Array>
    close(): Promise<void>
}

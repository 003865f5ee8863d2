/** What a response of one byte says, from CryptoAuthLib's table of device statuses. */

export const statusNames = {
    0x00: "success",
    0x01: "miscompare",
    0x03: "parse-error",
    0x05: "ecc-fault",
    0x07: "self-test-error",
    0x08: "health-test-error",
    0x0f: "execution-error",
    0x11: "after-wake",
    0xee: "watchdog-about-to-expire",
    0xff: "communication-error",
} as const

export type StatusName = (typeof statusNames)[keyof typeof statusNames] | "unknown"

/**
 * The chip had not begun with the command: it saw none since it woke, would have fallen asleep over it, or received
 * it damaged. Every other status is its verdict on the command, or on itself.
 */
const unexecuted: readonly StatusName[] = ["after-wake", "watchdog-about-to-expire", "communication-error"]

/** Its verdict on its own random bytes. */
const condemning: readonly StatusName[] = ["self-test-error", "health-test-error"]

export class StatusError extends Error {
    override readonly name = "StatusError"
    readonly status: number
    readonly code: StatusName

    constructor(status: number) {
        const code = isKnown(status) ? statusNames[status] : "unknown"
        super(`the chip answers with the status ${status.toString(16).padStart(2, "0")}, ${code}`)
        this.status = status
        this.code = code
    }

    /** Whether the same command, sent again, may do better. */
    get passing(): boolean {
        return unexecuted.includes(this.code)
    }

    /** Whether the chip finds itself at fault. */
    get condemning(): boolean {
        return condemning.includes(this.code)
    }
}

function isKnown(status: number): status is keyof typeof statusNames {
    return status in statusNames
}

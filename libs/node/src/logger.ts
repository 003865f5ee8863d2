import { isatty } from "node:tty"

import { pino, type Logger } from "pino"
import { PinoPretty } from "pino-pretty"

export type { Logger } from "pino"

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const
export type LogLevel = (typeof logLevels)[number]

/** Names under which nothing may ever reach a log, at whatever depth people log objects. */
const secrets = [
    "seed",
    "ledgerSeed",
    "messageSeed",
    "vrfSeed",
    "secret",
    "secretKey",
    "privateKey",
    "scalar",
    "nonce",
    "plaintext",
    "entropy",
    "pin",
    "password",
    "authorization",
]

export type LoggerOptions = {
    readonly name: string
    readonly level: LogLevel
    /** For people rather than for programs; where absent, whether standard error is a terminal. */
    readonly pretty?: boolean
}

/**
 * Writes to standard error, since standard output is for data. Synchronously: the last lines before a process
 * dies are those that matter.
 */
export function makeLogger({ name, level, pretty = isatty(2) }: LoggerOptions): Logger {
    const options = {
        name,
        level,
        redact: secrets.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
    }
    const destination = { dest: 2, sync: true }
    return pretty
        ? pino(options, PinoPretty({ destination: 2, sync: true, ignore: "pid,hostname" }))
        : pino(options, pino.destination(destination))
}

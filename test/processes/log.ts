/** log LEVEL PRETTY: writes what an app might log by mistake. */
import { makeLogger, type LogLevel } from "@tallylight/node/logger.js"

const [, , level = "info", pretty = "false"] = process.argv
const log = makeLogger({ name: "lamp", level: level as LogLevel, pretty: pretty === "true" })
log.debug("details")
log.info({ round: 7, seed: "SECRET", keys: { privateKey: "SECRET", id: "public" } }, "round open")
log.child({ peer: "p", nonce: "SECRET" }).warn({ config: { a: { password: "SECRET" } } }, "late")

/** The command line of everybody who checks: watch, verify, verify-pulse, export, inspect. */
import { Command } from "commander"
import { exportCommand } from "./export-command.ts"
import { inspectCommand } from "./inspect-command.ts"
import { verifyCommand } from "./verify-command.ts"
import { verifyPulseCommand } from "./verify-pulse-command.ts"
import { watchCommand } from "./watch-command.ts"

export function observerCommand(stop: AbortSignal): Command {
    return new Command("observer")
        .description("follow, verify, export and inspect a ledger, trusting nobody")
        .addCommand(watchCommand(stop))
        .addCommand(verifyCommand(stop))
        .addCommand(verifyPulseCommand(stop))
        .addCommand(exportCommand(stop))
        .addCommand(inspectCommand(stop))
}

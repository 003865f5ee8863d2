import { serverSettings } from "@tallylight/node/server-settings.js"
import { z } from "zod"

export const requesterConfig = z.strictObject({
    ...serverSettings,
    /** Beacons to ask for before this process ends; without it, for ever. */
    rounds: z.int().min(1).optional(),
    /** From ticket to ticket, in seconds; 0 for as fast as the parties answer. */
    interval: z.number().min(0).max(86_400).default(5),
})

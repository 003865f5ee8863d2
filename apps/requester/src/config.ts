import { z } from "zod"

export const requesterConfig = z.strictObject({
    /** The ledger server. */
    url: z.string().default("http://127.0.0.1:7710"),
    /** The id of its chain, where it has several. */
    chain: z.string().optional(),
    /** Beacons to ask for before this process ends; without it, for ever. */
    rounds: z.int().min(1).optional(),
    /** From ticket to ticket, in seconds; 0 for as fast as the parties answer. */
    interval: z.number().min(0).max(86_400).default(5),
})

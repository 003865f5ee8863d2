import { z } from "zod"

/** What status, metrics, alarms and statements call a source: short, and safe as a label and in a sentence. */
export const sourceName = z
    .string()
    .regex(
        /^[a-z0-9][a-z0-9-]{0,31}$/,
        "a name of 1 to 32 small letters, digits and dashes, not beginning with a dash",
    )

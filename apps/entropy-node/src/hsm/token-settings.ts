/** Which token of which PKCS#11 module, and how to log in to it. */
import { z } from "zod"

/** To be spread into a z.strictObject. */
export const tokenOptions = {
    /** Path of the vendor's library. */
    module: z.string().startsWith("/"),
    /** Label of the token, since slots are numbered anew at each start. */
    token: z.string().min(1).max(32),
    /** One line, for nobody but its owner to read: the PIN of the token's user. */
    pinFile: z.string().min(1),
    /** What the library reads from its environment, such as YUBIHSM_PKCS11_CONF: the name of its own configuration. */
    environment: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
    /** For one answer of the token; it is taken for lost after that. */
    timeoutMs: z.int().min(1).max(0x7fffffff).default(10_000),
    /** The library is software, such as SoftHSM. That is then said wherever its bytes and signatures appear. */
    simulated: z.boolean().default(false),
}

export type TokenSettings = z.output<z.ZodObject<typeof tokenOptions>>

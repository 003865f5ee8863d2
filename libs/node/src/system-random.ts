import { randomFillSync } from "node:crypto"

import type { Random } from "@tallylight/protocol/ports/clock.js"

/** A plain Uint8Array: a Buffer's `slice` would be a view where every other one's is a copy. */
export const systemRandom: Random = (length) => randomFillSync(new Uint8Array(length))

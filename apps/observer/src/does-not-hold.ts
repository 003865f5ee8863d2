import { UserError } from "@tallylight/node/user-error.js"

/** The exit code of a ledger that does not hold; the report that says why has been printed. */
export class DoesNotHold extends UserError {}

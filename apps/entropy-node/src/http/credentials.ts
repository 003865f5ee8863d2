/** What a server over TLS is made with. */
export type { Credentials } from "@tallylight/node/tls-files.js"

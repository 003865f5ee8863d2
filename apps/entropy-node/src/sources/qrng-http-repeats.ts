/**
 * The last answers of one server, so that a cache on the way, or a server that stands still, is noticed: their bytes
 * pass every test of single samples. Digests, since what is given is not kept.
 */
import { createHash } from "node:crypto"

const keptAnswers = 16

/** Fewer come twice by chance. */
const leastBytes = 16

export class RecentAnswers {
    /** Oldest first. */
    #digests: readonly string[] = []

    /** Throws where one of the last answers was the same. */
    add(bytes: Uint8Array): void {
        if (bytes.length < leastBytes) return
        const digest = createHash("sha256").update(bytes).digest("base64")
        if (this.#digests.includes(digest)) throw new Error("it gave the same bytes twice")
        this.#digests = [...this.#digests, digest].slice(-keptAnswers)
    }
}

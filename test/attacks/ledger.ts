/** A ledger server that lies: to auditors with the files it serves, to followers on their connections. */
import assert from "node:assert/strict"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { utf8 } from "@tallylight/crypto/bytes.js"
import { encodeEntryBundle, entriesPath, tilesForSize } from "@tallylight/crypto/tiles.js"
import { runVerify } from "@tallylight/observer/verify-command.js"
import type { VerifyJson } from "@tallylight/observer/verify-report.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { honest, serve as sealed } from "@tallylight/protocol/sample/mutant.js"
import type { Served } from "@tallylight/protocol/sample/mutant.js"
import { mutants } from "@tallylight/protocol/sample/mutants.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { cleanUp, never, newFolder, paper, serve } from "../observer/fixtures.ts"
import type { Files } from "../observer/fixtures.ts"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"

/** Ledgers behind HTTP, and an auditor with what it needs to know beforehand: the chain's id, perhaps a checkpoint. */
class Gallery {
    readonly sample: SampleLedger = sampleLedger()

    /** The code of the rule that the auditor finds broken, or “holds”. */
    async audit({ entries, checkpoint }: Served, seen?: string): Promise<string> {
        const { url } = await serve(this.sample.state.chain, filesOf(entries, checkpoint))
        const pin = join(await newFolder(), "pin")
        if (seen !== undefined) await writeFile(pin, seen)
        const to = paper()
        const options = { url, json: true as const, ...(seen !== undefined && { pin }) }
        const failed = await runVerify(options, never, to).then(
            () => false,
            () => true,
        )
        const report = JSON.parse(to.printed()) as VerifyJson | { holds: false; code: string | null }
        assert.equal(report.holds, !failed)
        if (report.holds) return "holds"
        if (!("rules" in report)) return report.code ?? "no code"
        return report.rules.find(({ verdict }) => verdict === "broken")?.first?.code ?? "no code"
    }

    close(): Promise<void> {
        return cleanUp()
    }
}

/** What an auditor asks for: the checkpoint, and the entries in bundles. */
function filesOf(entries: readonly Uint8Array[], checkpoint: string): Files {
    const files: Files = new Map([["checkpoint", utf8(checkpoint)]])
    for (const { kind, index, width } of entries.length === 0 ? [] : tilesForSize(entries.length)) {
        const bundle = entries.slice(256 * index, 256 * index + width)
        if (kind === "entries") files.set(entriesPath(index, width), encodeEntryBundle(bundle))
    }
    return files
}

async function holds(gallery: Gallery): Promise<void> {
    assert.equal(await gallery.audit(honest(gallery.sample)), "holds")
}

/** What each of these ledgers breaks is said by the list that `observer verify --self-test` goes through. */
function served(...breaks: readonly string[]): Attack<Gallery>[] {
    return breaks.map((name) => {
        const mutant = mutants.find((mutant) => mutant.breaks === name)
        if (mutant === undefined) throw new Error(`no mutant is “${name}”`)
        return {
            ...{ name: `a served ledger with ${name}`, stoppedBy: mutant.code, honest: holds },
            attack: (gallery) => gallery.audit(mutant.mutate(gallery.sample)),
        }
    })
}

/** A later ledger of the same keys, in which the last entry that was shown is another one. */
function forked({ sample }: Gallery): Served {
    const { entries } = sample
    const last = entries.at(-1)
    if (last === undefined) throw new Error("the sample is empty")
    return sealed(sample, [...entries.slice(0, -1), { ...last, time: last.time + 1 }].map(encodeEntry))
}

async function holdsPinned(gallery: Gallery): Promise<void> {
    const served = honest(gallery.sample)
    assert.equal(await gallery.audit(served, served.checkpoint), "holds")
}

export const audits = group("audits", "ledger.ts", () => Promise.resolve(new Gallery()), [
    ...served(
        "a contribution dropped, so that the round was sealed too early",
        "a contribution of a revoked party",
        "a party that contributes twice",
        "a ticket for the second request in the queue",
        "a valid entry exchanged for another valid one after the log was signed",
        "a sum of the server's own choice",
        "a count that is not the round's",
        "a shortened window",
        "a tally before everybody answered or the deadline came",
        "a threshold that elects more",
        "a roster with somebody left out",
        "a seed that is not the latest output",
        "a ticket of the server's own choice",
        "a VRF proof for another input",
        "an entry dated before the one in front of it",
        "an entry of an unknown kind",
        "a checkpoint that another key signed",
        "a member convicted with a share that it made for another tally",
        "an honest member framed",
        "an opened point of the server's own choice",
        "an output of the server's own choice",
        "a tally called withheld before its deadline",
        "the wrong members blamed",
    ),
    {
        name: "a served ledger with no entries",
        stoppedBy: "empty-ledger",
        honest: holds,
        attack: (gallery) => gallery.audit(sealed(gallery.sample, [])),
    },
    {
        name: "another history than the one that was shown before",
        stoppedBy: "forked",
        honest: holdsPinned,
        attack: (gallery) => gallery.audit(forked(gallery), honest(gallery.sample).checkpoint),
    },
    {
        name: "a history that ends before the one that was shown",
        stoppedBy: "forked",
        honest: holdsPinned,
        attack: (gallery) => {
            const { entries, checkpoint } = honest(gallery.sample)
            return gallery.audit(sealed(gallery.sample, entries.slice(0, -1)), checkpoint)
        },
    },
])

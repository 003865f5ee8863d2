/** A ledger server that cheats with the log itself. */
import { encodeEntry } from "../ledger/entry.ts"
import { sampleRounds } from "./scenario.ts"
import { change, find, flip, honest, insert, seal, serve } from "./mutant.ts"
import type { Mutant } from "./mutant.ts"

export const logMutants: readonly Mutant[] = [
    {
        rule: "entries",
        breaks: "an entry of an unknown kind",
        code: "malformed-entry",
        mutate: (sample) => {
            const { entries } = honest(sample)
            entries[4] = Uint8Array.of(0xee, ...(entries[4] ?? []).slice(1))
            return serve(sample, entries)
        },
    },
    {
        rule: "entries",
        breaks: "an entry with a byte too many",
        code: "malformed-entry",
        mutate: (sample) => {
            const { entries } = honest(sample)
            entries[4] = Uint8Array.of(...(entries[4] ?? []), 0)
            return serve(sample, entries)
        },
    },
    {
        rule: "entries",
        breaks: "the last entry withheld from a signed log",
        code: "missing-entries",
        mutate: (sample) => {
            const { entries, checkpoint } = honest(sample)
            return { entries: entries.slice(0, -1), checkpoint }
        },
    },
    {
        rule: "entries",
        breaks: "an empty ledger",
        code: "empty-ledger",
        mutate: () => ({ entries: [], checkpoint: "" }),
    },
    {
        rule: "checkpoint",
        breaks: "a checkpoint that another key signed",
        code: "bad-checkpoint",
        mutate: (sample) => {
            const { entries } = honest(sample)
            return { entries, checkpoint: seal(sample, entries, sample.keys.vrfSeed) }
        },
    },
    {
        rule: "checkpoint",
        breaks: "a checkpoint with an edited size",
        code: "bad-checkpoint",
        mutate: (sample) => {
            const { entries, checkpoint } = honest(sample)
            return {
                entries,
                checkpoint: checkpoint.replace(`\n${entries.length}\n`, `\n${entries.length - 1}\n`),
            }
        },
    },
    {
        rule: "root",
        breaks: "a valid entry exchanged for another valid one after the log was signed",
        code: "wrong-root",
        mutate: (sample) => {
            const { entries, checkpoint } = honest(sample)
            const last = sample.entries.at(-1)
            if (last === undefined) throw new Error("the sample is empty")
            return {
                entries: [...entries.slice(0, -1), encodeEntry({ ...last, time: last.time + 1 })],
                checkpoint,
            }
        },
    },
    {
        rule: "append-only",
        breaks: "another history than the one shown before",
        code: "forked",
        mutate: (sample) => ({ ...honest(sample), pinned: { size: 7, root: flip(new Uint8Array(32)) } }),
    },
    {
        rule: "append-only",
        breaks: "a shorter history than the one shown before",
        code: "forked",
        mutate: (sample) => {
            const size = sample.entries.length + 1
            return { ...honest(sample), pinned: { size, root: new Uint8Array(32) } }
        },
    },
    {
        rule: "genesis",
        breaks: "a second genesis",
        code: "bad-genesis",
        mutate: insert(
            () => 1,
            ({ state, time }) => ({ ...state.genesis, time }),
        ),
    },
    {
        rule: "genesis",
        breaks: "a genesis of another version",
        code: "bad-genesis",
        mutate: change("genesis", 0, (genesis) => ({ ...genesis, version: 3 })),
    },
    {
        rule: "genesis",
        breaks: "a ledger key of small order",
        code: "bad-key",
        mutate: change("genesis", 0, (genesis) => ({ ...genesis, ledgerKey: new Uint8Array(32) })),
    },
    {
        rule: "time",
        breaks: "an entry dated before the one in front of it",
        code: "time-backwards",
        mutate: change("tally", 0, (tally) => ({ ...tally, time: tally.time - 5 })),
    },
    {
        rule: "entries",
        breaks: "a round's entries taken out of an honest log",
        code: "missing-entries",
        mutate: (sample) => {
            const { checkpoint, entries } = honest(sample)
            const at = find(sample, "ticket", ({ round }) => round === sampleRounds.unfinished)
            return { entries: entries.slice(0, at), checkpoint }
        },
    },
]

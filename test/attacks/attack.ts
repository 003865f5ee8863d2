/** What an attack is, and how a list of them is run: by vitest, by `runAttacks`, by whoever else wants to. */
import assert from "node:assert/strict"

export type Attack<Stage> = {
    /** What the attacker does, in a few words; unique over all groups. */
    readonly name: string
    /** The refusal code, close code, HTTP status or rule that must stop it. */
    readonly stoppedBy: string
    /** The same without the malice: rejects unless it passes. */
    readonly honest: (stage: Stage) => Promise<unknown>
    /** Resolves to what the attacker was stopped with. */
    readonly attack: (stage: Stage) => Promise<string>
}

/** Attacks that share a stage, which is set up once for all of them. */
export type Group = {
    readonly title: string
    /** Where its attacks are, in this folder. */
    readonly file: string
    readonly attacks: readonly Listed[]
    readonly open: () => Promise<OpenGroup>
}

export type Listed = Pick<Attack<never>, "name" | "stoppedBy">

export type OpenGroup = {
    /** Rejects unless the honest twin passes and then the attack is stopped by what its entry names. */
    readonly run: (name: string) => Promise<void>
    readonly close: () => Promise<void>
}

export function group<Stage extends { close: () => Promise<void> }>(
    title: string,
    file: string,
    open: () => Promise<Stage>,
    attacks: readonly Attack<Stage>[],
): Group {
    return {
        title,
        file,
        attacks: attacks.map(({ name, stoppedBy }) => ({ name, stoppedBy })),
        open: async () => {
            const stage = await open()
            const run = async (name: string): Promise<void> => {
                const found = attacks.find((attack) => attack.name === name)
                if (found === undefined) throw new Error(`${title} has no attack “${name}”`)
                await found.honest(stage)
                assert.equal(await found.attack(stage), found.stoppedBy, `what stops ${name}`)
            }
            return { run, close: () => stage.close() }
        },
    }
}

/** Every mutant: `verify --self-test` shows each of them to the auditor, and their honest twin first. */
import { chainMutants } from "./chain-mutants.ts"
import { logMutants } from "./log-mutants.ts"
import type { Mutant } from "./mutant.ts"
import { openingMutants } from "./opening-mutants.ts"
import { pulseMutants } from "./pulse-mutants.ts"
import { roundMutants } from "./round-mutants.ts"

export const mutants: readonly Mutant[] = [
    ...logMutants,
    ...chainMutants,
    ...roundMutants,
    ...openingMutants,
    ...pulseMutants,
]

import { onRounds } from "../../attacks/run.ts"
import { testAttacks } from "./run-groups.ts"

testAttacks(onRounds)

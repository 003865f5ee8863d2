import { onServers } from "../../attacks/run.ts"
import { testAttacks } from "./run-groups.ts"

testAttacks(onServers)

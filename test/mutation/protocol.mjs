import { mutationRun } from "./stryker.mjs"

export default mutationRun("protocol", [
    "libs/protocol/src/{chain,round}/**/*.ts",
    "libs/protocol/src/verify/rules.ts",
])

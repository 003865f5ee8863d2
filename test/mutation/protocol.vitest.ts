import { mutationTests } from "./vitest.ts"

export default mutationTests([
    "libs/protocol/src/{chain,ledger,round}/**/*.test.ts",
    "test/{mutants,refusals}/**/*.test.ts",
])

import { mutationTests } from "./vitest.ts"

export default mutationTests([
    "libs/protocol/src/{chain,ledger,round,verify}/**/*.test.ts",
    "test/{mutants,refusals}/**/*.test.ts",
])

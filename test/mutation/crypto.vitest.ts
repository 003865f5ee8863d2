import { mutationTests } from "./vitest.ts"

export default mutationTests(["libs/crypto/src/**/*.test.ts"])

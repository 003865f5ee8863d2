import { mutationRun } from "./stryker.mjs"

export default mutationRun("crypto", ["libs/crypto/src/**/*.ts"])

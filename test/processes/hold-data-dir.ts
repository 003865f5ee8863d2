/** hold-data-dir PATH: opens it as a party's, forgets about it, says so, and stays. */
import { setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

import { openDataDir } from "@tallylight/node/data-dir.js"

const [, , path = ""] = process.argv
await openDataDir({ path, named: true, role: "party" })

// A lock must not end with the last reference to it.
setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void
for (let round = 0; round < 5; round += 1) {
    collect()
    await sleep(10)
}
process.stdout.write("open\n")
setInterval(() => undefined, 60_000)

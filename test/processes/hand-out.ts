/**
 * hand-out PATH GENERATION READS: adds bytes to a queue of raw ones and reads them, several at once, until it is killed,
 * or kills itself over the last of so many reads, in the moment in which it has the bytes. Bytes come in eights that say
 * which generation they are of, and which of its eights. Prints what was added, and what was handed out, as soon as it
 * is told.
 */
import { RawFile } from "@tallylight/entropy-node/core/raw-file.js"
import { QueueEmpty } from "@tallylight/entropy-node/core/node-core.js"
import { RawQueue } from "@tallylight/entropy-node/core/raw-queue.js"

const [, , path = "", generation = "", reads = ""] = process.argv
const file = await RawFile.open(path)
const queue = await RawQueue.open(file, { capacity: 65_536, chunk: 4096, consumption: "once" })

let next = 0
let left = Number(reads)
function eights(count: number): Uint8Array {
    const bytes = Buffer.alloc(8 * count)
    for (let at = 0; at < bytes.length; at += 8) {
        bytes.writeUInt32BE(Number(generation), at)
        bytes.writeUInt32BE(next++, at + 4)
    }
    return bytes
}

async function add(): Promise<never> {
    for (let turn = 0; ; turn += 1) {
        const bytes = eights(1 + ((turn * 97) % 700))
        // A part of the last eight would break the alignment of all that follow.
        if (queue.room < bytes.length) await new Promise((resolve) => setTimeout(resolve, 1))
        else {
            await queue.put({ bytes, source: "eights", simulated: true })
            process.stdout.write(`added ${Buffer.from(bytes).toString("hex")}\n`)
        }
    }
}

async function read(reader: number): Promise<never> {
    for (let turn = 0; ; turn += 1) {
        try {
            const { bytes } = await queue.take(8 * (1 + ((turn * 53 + reader * 29) % 200)))
            process.stdout.write(`got ${Buffer.from(bytes).toString("hex")}\n`)
            left -= 1
            if (left === 0) process.kill(process.pid, "SIGKILL")
        } catch (error) {
            if (!(error instanceof QueueEmpty)) throw error
            await new Promise((resolve) => setTimeout(resolve, 1))
        }
    }
}

await Promise.all([add(), read(1), read(2), read(3), read(4)])

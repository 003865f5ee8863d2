// Asks for pulses as users of nist-randomness-beacon do; it checks each one before it hands it out. Arguments: the folder
// with the package, the number of pulses. Prints one JSON value: how many it took, and what it said of the others.
const console = require("node:console")
const { createRequire } = require("node:module")
const process = require("node:process")
const [, , folder, count] = process.argv
const beacon = createRequire(`${folder}/`)("nist-randomness-beacon")

async function main() {
    const refused = []
    const pulses = []
    const take = async (what, promise) => {
        // Version 2.0.4 loses its own refusal: it becomes an unhandled rejection, and the promise stays as it is.
        const lost = new Promise((_, reject) => process.once("unhandledRejection", reject))
        try {
            pulses.push((await Promise.race([promise, lost])).pulse)
        } catch (error) {
            refused.push(`${what}: ${error?.message ?? error}`)
        }
    }
    await take("last", beacon.getMostRecentPulse())
    for (let index = 1; index <= Number(count); index++)
        await take(`pulse ${index}`, beacon.getPulseByChainAndPulseIndex(1, index))
    const [, first, second] = pulses
    if (second !== undefined) {
        const time = Date.parse(second.timeStamp)
        await take("closest", beacon.getClosestPulse(time))
        await take("previous", beacon.getPreviousPulse(time))
        await take("next", beacon.getNextPulse(Date.parse(first.timeStamp)))
    }
    console.log(JSON.stringify({ taken: pulses.length, refused }))
}
void main()

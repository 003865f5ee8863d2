/** Opens what lies on the disk, and puts the devices on top of it. */
import { UserError } from "@tallylight/node/user-error.js"
import { AlarmBook } from "./alarms.ts"
import { systemName, type Core, type CoreOptions } from "./core.ts"
import { DeviceCore } from "./device-core.ts"
import { noMeter } from "./meter.ts"
import { Pool } from "./pool.ts"
import { RawFile } from "./raw-file.ts"
import { RawQueue } from "./raw-queue.ts"

/** Rejects with a UserError where the settings cannot be used with these sources. */
export async function openCore(options: CoreOptions): Promise<Core> {
    const names = options.sources.map(({ name }) => name)
    if (names.includes(systemName))
        throw new UserError(
            `${systemName} is what the operating system's source is called, which is mixed in anyway; ` +
                "give the other one another name",
        )
    const twice = names.find((name, at) => names.indexOf(name) !== at)
    if (twice !== undefined)
        throw new UserError(`two sources are called ${twice}; each needs a name of its own`)
    const { settings, dir, clock, meter = noMeter } = options
    const file = await RawFile.open(dir.file("raw.db"))
    try {
        const alarms = await AlarmBook.open(file)
        const queue = await RawQueue.open(file, { ...settings.queue, consumption: settings.consumption })
        const pool = await Pool.open({
            settings: settings.pool,
            clock,
            seedFile: dir.file("fortuna.seed"),
            onReseed: meter.reseeded,
        })
        return new DeviceCore(options, { file, alarms, queue, pool })
    } catch (error) {
        await file.close()
        throw error
    }
}

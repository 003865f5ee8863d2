/** Opens what lies on the disk, and puts the devices on top of it. */
import { AlarmBook } from "./alarms.ts"
import type { Core, CoreOptions } from "./core.ts"
import { DeviceCore } from "./device-core.ts"
import { refuseDoubles } from "./distinct-sources.ts"
import { noMeter } from "./meter.ts"
import { Pool } from "./pool.ts"
import { RawFile } from "./raw-file.ts"
import { RawQueue } from "./raw-queue.ts"

/** Rejects with a UserError where the settings cannot be used with these sources. */
export async function openCore(options: CoreOptions): Promise<Core> {
    refuseDoubles(options.sources)
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

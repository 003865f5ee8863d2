/** The sources that a configuration names, as the core takes them. */
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { SourceSettings } from "../config.ts"
import type { ConfiguredSource } from "../core/core.ts"
import { pkcs11Driver } from "../hsm/random-source.ts"
import { atecc608aDriver } from "./atecc608a/source.ts"
import { characterDeviceDriver } from "./character-device.ts"
import { devicePlace } from "./device-place.ts"
import { qrngHttpDriver } from "./qrng-http.ts"
import type { SourceDriver } from "./source.ts"

export async function configuredSource(settings: SourceSettings, clock: Clock): Promise<ConfiguredSource> {
    const { name, minEntropy } = settings
    const device = await devicePlace(settings)
    return { name, minEntropy, sampleBits: 8, driver: driverOf(settings, clock), device }
}

function driverOf(settings: SourceSettings, clock: Clock): SourceDriver {
    switch (settings.kind) {
        case "atecc608a":
            return atecc608aDriver(settings, clock)
        case "character-device":
            return characterDeviceDriver(settings, { clock })
        case "pkcs11":
            return pkcs11Driver(settings)
        case "qrng-http":
            return qrngHttpDriver(settings, clock)
    }
}

/** The pulses of a node: one chain at a fixed period, and one for each chain of beacons that it follows. */
import { mkdir } from "node:fs/promises"
import { join } from "node:path"

import { readIfThere } from "@tallylight/node/durable-file.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"

import type { Core } from "../core/core.ts"
import type { PulseSigner } from "../hsm/pulse-signer.ts"
import { isOwn, makeCertificate, parseCertificates } from "./certificate.ts"
import type { Certificate } from "./certificate.ts"
import { PulseMaker } from "./pulse-maker.ts"
import type { External, MadePulse, PulseDelayed, PulsePlan } from "./pulse-maker.ts"
import type { PublishedPulse, PulseReader } from "./pulse-reader.ts"
import { schedulePulses } from "./pulse-schedule.ts"
import { PulseStore } from "./pulse-store.ts"
import type { PulseSettings } from "./settings.ts"
import { startOfUnit } from "./utc-start.ts"

/** In the folder of the pulses. */
export const pulsesFile = (folder: string): string => join(folder, "pulses.db")

const dayMs = 86_400_000

export type PulsesOptions = {
    /** Of the pulses alone; one process at a time has it. */
    readonly folder: string
    readonly settings: PulseSettings
    /** Belongs to the caller, who closes it after the pulses. */
    readonly signer: PulseSigner
    /** Whether a source of the core's values is: what they are in is named so. */
    readonly simulated: boolean
    readonly core: Pick<Core, "localValue">
    readonly clock: Clock
}

/** One pulse for each multiple of the period, {@link schedulePulses}. */
export type PeriodicPulses = {
    readonly chain: number
    /** `external` is asked at each pulse. */
    readonly run: (
        external: () => External | undefined,
        onDelay: (error: PulseDelayed) => void,
        signal: AbortSignal,
    ) => Promise<void>
}

/** One pulse for each beacon of a followed chain, in their order. */
export type BeaconPulses = {
    readonly chain: number
    /** Of the last beacon that has its pulse, or whose pulse was begun by a key that is here. Its slot is the ordinal. */
    readonly lastMade: () => Promise<MadePulse | undefined>
    /** As the node has to be registered before the next pulse is begun; it changes with what they open. */
    readonly plan: () => Promise<PulsePlan>
    /** Whether it was left out: a later one has its pulse, and it has none and never will. */
    readonly isPassed: (ordinal: number) => Promise<boolean>
    /**
     * The pulse of that beacon, made if there is none yet; the ones that were left out have none from then on. Rejects
     * with {@link PulseDelayed} where trying again may help.
     */
    readonly pulseOf: (beacon: BeaconToSign) => Promise<PublishedPulse>
    /** What the pulses of the beacons of ordinals first, first + 1, … will open; kept for good before it is told. */
    readonly commitmentsAhead: (first: number, count: number) => Promise<readonly Uint8Array[]>
}

export type BeaconToSign = {
    /** Counts the beacons of its chain. */
    readonly ordinal: number
    readonly time: UnixMs
    readonly external: External
}

export type Pulses = {
    readonly reader: PulseReader
    /** Of the key that signs now, and of the sources that there are now. */
    readonly certificate: Certificate
    /** undefined where it is not enabled. */
    readonly periodic: PeriodicPulses | undefined
    /** `followed` is the id of a chain of beacons; it has the same chain of pulses ever after. */
    readonly follow: (followed: string) => Promise<BeaconPulses>
    readonly close: () => Promise<void>
}

/** Makes what `openPulses` opens, and the folder. The key is for `createPulseKey` to make. */
export async function createPulses(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await PulseStore.create(pulsesFile(folder))
}

export async function openPulses(options: PulsesOptions): Promise<Pulses> {
    const { folder, settings, signer, simulated, core, clock } = options
    const store = await PulseStore.open(pulsesFile(folder))
    try {
        const certificate = await currentCertificate(store, options, simulated)
        // What a simulated source had part in is named so to its end, also where there is hardware in its place.
        const hasSimulated = simulated || (await store.chainsWithSimulated()).length > 0
        const named = hasSimulated ? await currentCertificate(store, options, true) : certificate
        const certificates = { hardware: certificate.id, simulated: named.id }
        const { baseUrl, periodic, rounds } = settings
        const common = { store, baseUrl, signer, simulated, certificates, core }
        const makers = new Map<number, PulseMaker>()
        const makerOf = (chain: number, period: number): PulseMaker => {
            const maker = makers.get(chain) ?? new PulseMaker({ ...common, chain, period })
            makers.set(chain, maker)
            return maker
        }
        if (periodic.enabled) await store.openChain(periodic.chainIndex, "")
        return {
            reader: store.published,
            certificate,
            periodic: periodic.enabled
                ? periodicPulses(makerOf(periodic.chainIndex, periodic.periodMs), periodic, clock)
                : undefined,
            async follow(followed) {
                const chain = await store.followerOf(followed, rounds.chainIndex)
                return beaconPulses(makerOf(chain, 0), chain)
            },
            close: () => store.close(),
        }
    } catch (error) {
        await store.close()
        throw error
    }
}

function periodicPulses(
    maker: PulseMaker,
    { chainIndex, periodMs }: PulseSettings["periodic"],
    clock: Clock,
): PeriodicPulses {
    return {
        chain: chainIndex,
        async run(external, onDelay, signal) {
            const make = async (time: UnixMs): Promise<UnixMs> =>
                (await maker.make({ time, external: external() })).pulse.timeStamp
            const last = (await maker.tip())?.trail.timeStamp
            await schedulePulses(clock, periodMs, { last, make, onDelay }, signal)
        },
    }
}

function beaconPulses(maker: PulseMaker, chain: number): BeaconPulses {
    return {
        chain,
        lastMade: () => maker.lastMade(),
        plan: () => maker.plan(),
        isPassed: (ordinal) => maker.isPassed(ordinal),
        pulseOf: ({ ordinal, ...beacon }) => maker.make({ slot: ordinal, ...beacon }),
        commitmentsAhead: (first, count) => maker.commitments(first, count),
    }
}

/** The same for the same key, configuration and kind of sources: what is made is made once. */
async function currentCertificate(
    store: PulseStore,
    { settings, signer, clock }: PulsesOptions,
    simulated: boolean,
): Promise<Certificate> {
    const { certificateFile } = settings
    if (certificateFile === undefined) {
        // Of a key in software its certificate says so anyway.
        const ending = simulated && !signer.simulated ? ", OU=simulated: sources in software" : ""
        const subject = `${settings.subject}${ending}`
        const known = (await store.certificates()).find((one) => isOwn(one, signer, subject))
        if (known !== undefined) return known
        // A pulse may be of the instant before now, and the clock may be set back a little.
        const notBefore = startOfUnit("day", Math.max(0, clock.now() - dayMs))
        const made = await makeCertificate(signer, subject, notBefore)
        await store.keepCertificate(made)
        return made
    }
    const pem = await readIfThere(certificateFile)
    if (pem === undefined) throw new UserError(`there is no certificate file ${certificateFile}`)
    const [leaf, ...authorities] = parseCertificates(pem.toString("latin1"), signer, certificateFile)
    for (const one of [leaf, ...authorities]) await store.keepCertificate(one)
    return leaf
}

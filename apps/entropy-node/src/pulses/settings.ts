/** Everything about pulses that can be configured, with its default and the reason for it. */
import { z } from "zod"

import { tokenKeySettings } from "../hsm/rsa-key.ts"
import { isDistinguishedName } from "./certificate.ts"

const chainIndex = z.int().min(1).max(0x7fffffff)

const key = z.discriminatedUnion("kind", [
    z.strictObject({
        kind: z.literal("software"),
        /** In the folder of the pulses, where the path is no absolute one. */
        file: z.string().min(1).default("pulse-key.pem"),
    }),
    tokenKeySettings,
])

export const pulseSettings = z
    .strictObject({
        enabled: z.boolean().default(true),
        /** What the pulses' URIs begin with: where everybody reaches this node. Signed, and so not to be changed lightly. */
        baseUrl: z
            .url({ protocol: /^https?$/, error: "an http or https URL" })
            .max(512)
            .regex(/^[\x21-\x7e]*[^/]$/, "a URL in ASCII without a slash at its end")
            .default("http://127.0.0.1:7730"),
        periodic: z
            .strictObject({
                enabled: z.boolean().default(true),
                /** As NIST's. Signing takes an HSM up to seconds. */
                periodMs: z.int().min(1000).max(86_400_000).default(60_000),
                chainIndex: chainIndex.default(1),
            })
            .prefault({}),
        /** A pulse for each beacon of a followed chain, in a chain of pulses of its own. */
        rounds: z
            .strictObject({
                enabled: z.boolean().default(true),
                /** The lowest that they may have: the first chain gets it, others the next free ones. */
                chainIndex: chainIndex.default(2),
            })
            .prefault({}),
        /** Of the certificate (RFC 4514). One made by this node signs itself. */
        subject: z
            .string()
            .max(256)
            .refine(isDistinguishedName, "a distinguished name, such as CN=beacon.example.org, O=Example")
            .default("CN=Tallylight entropy node"),
        /** In its place one from an authority, in PEM, followed by those of the authorities. */
        certificateFile: z.string().optional(),
        key: key.prefault({ kind: "software" }),
    })
    .refine(
        ({ periodic, rounds }) =>
            !periodic.enabled || !rounds.enabled || periodic.chainIndex !== rounds.chainIndex,
        {
            path: ["rounds", "chainIndex"],
            error: "a number that periodic.chainIndex does not have: the pulses of beacons are a chain of their own",
        },
    )

export type PulseKeySettings = z.output<typeof key>
export type PulseSettings = z.output<typeof pulseSettings>

import { readFileSync } from "node:fs"

import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { commands } from "./commands.ts"
import {
    crc16,
    makeCommand,
    makePacket,
    PacketError,
    parseCommand,
    parsePacket,
    parseResponse,
    parseStatus,
    wordAddress,
} from "./packet.ts"
import { StatusError, statusNames } from "./status.ts"

const hex = z.string().transform(fromHex)

const vectors = z
    .object({
        word_address: z.record(z.enum(["reset", "sleep", "idle", "command"]), hex),
        captured: z.array(z.object({ name: z.string(), packet: hex, crc_ok: z.literal(true) })),
        commands: z.array(
            z.object({
                name: z.string(),
                opcode: z.int(),
                param1: z.int(),
                param2: z.int(),
                data: hex,
                packet_without_word_address: hex,
                i2c_write: hex,
            }),
        ),
        status: z.array(z.object({ status: hex, response: hex })),
        must_reject: z.array(z.object({ name: z.string(), packet: hex })),
        wake_response: hex,
    })
    .parse(
        JSON.parse(
            readFileSync(
                new URL("../../../../../test/vectors/atecc608a-packets.json", import.meta.url),
                "utf8",
            ),
        ),
    )

function captured(name: string): Uint8Array {
    return vectors.captured.find((packet) => packet.name === name)!.packet
}

function refusal(read: () => unknown): unknown {
    try {
        read()
    } catch (error) {
        return error
    }
    throw new Error("nothing was refused")
}

describe("packets", () => {
    test("that were captured have the count and the CRC that are made of their payloads", () => {
        expect(vectors.captured.length).toBeGreaterThan(10)
        for (const { name, packet } of vectors.captured) {
            expect(toHex(makePacket(parsePacket(packet))), name).toBe(toHex(packet))
        }
    })

    test("of commands are made and parsed to the vectors' bytes", () => {
        expect(vectors.commands.length).toBeGreaterThan(5)
        for (const vector of vectors.commands) {
            const command = {
                opcode: vector.opcode,
                mode: vector.param1,
                parameter: vector.param2,
                data: vector.data,
            }
            const packet = vector.packet_without_word_address
            expect(toHex(makeCommand(command)), vector.name).toBe(toHex(packet))
            expect(parseCommand(packet), vector.name).toStrictEqual(command)
            expect(toHex(vector.i2c_write)).toBe(`03${toHex(packet)}`)
        }
    })

    test("are refused with any one bit inverted", () => {
        for (const { name, packet } of vectors.captured) {
            expect(parsePacket(packet)).toHaveLength(packet.length - 3)
            for (let bit = 0; bit < 8 * packet.length; bit += 1) {
                const damaged = packet.slice()
                damaged[bit >> 3]! ^= 1 << (bit & 7)
                const problem = bit < 8 ? "count" : "crc"
                expect(
                    refusal(() => parsePacket(damaged)),
                    `${name} ${bit}`,
                ).toMatchObject({ problem })
            }
        }
    })

    test("are refused if they are longer or shorter than they say, or hold nothing", () => {
        const packet = captured("read_rsp")
        expect(toHex(parsePacket(packet))).toBe("01234ab6")
        for (const other of [
            packet.subarray(0, -1),
            Uint8Array.of(...packet, 0xff),
            Uint8Array.of(3, ...crc16(Uint8Array.of(3))),
            new Uint8Array(0),
        ]) {
            expect(refusal(() => parsePacket(other))).toMatchObject({ name: "PacketError", problem: "count" })
        }
    })

    test("of commands have at least an opcode and two parameters", () => {
        const command = Uint8Array.of(0x1b, 0, 0, 0)
        expect(parseCommand(makePacket(command)).opcode).toBe(0x1b)
        expect(refusal(() => parseCommand(makePacket(command.subarray(0, 3))))).toMatchObject({
            problem: "count",
        })
    })
})

describe("responses", () => {
    test("that must be rejected are, as responses and as statuses", () => {
        expect(vectors.must_reject.map(({ name }) => name)).toContain("idle_bus_all_ff")
        for (const { name, packet } of vectors.must_reject) {
            expect(
                refusal(() => parseResponse(packet)),
                name,
            ).toBeInstanceOf(PacketError)
            expect(
                refusal(() => parseStatus(packet)),
                name,
            ).toBeInstanceOf(PacketError)
        }
    })

    test("with data are that data", () => {
        expect(toHex(parseResponse(captured("info_revision_rsp_608")))).toBe("00006002")
        expect(toHex(parseResponse(captured("random_rsp_unlocked")))).toBe("ffff0000".repeat(8))
    })

    test("of one byte are errors with the vectors' codes, also where more was read than the chip had to say", () => {
        expect(vectors.status.length).toBeGreaterThan(5)
        for (const vector of vectors.status) {
            const status = vector.status[0]!
            expect(parseStatus(vector.response)).toBe(status)
            const padded = new Uint8Array(35).fill(0xff)
            padded.set(vector.response)
            for (const read of [vector.response, padded]) {
                expect(refusal(() => parseResponse(read))).toStrictEqual(new StatusError(status))
            }
        }
    })

    test("with more than one byte are no status", () => {
        expect(refusal(() => parseStatus(captured("read_rsp")))).toMatchObject({ problem: "count" })
    })

    test("after waking have the status 11", () => {
        expect(parseStatus(vectors.wake_response)).toBe(0x11)
    })
})

describe("statuses", () => {
    test("have names, and only those of commands that were not begun are worth another try", () => {
        const passing = Object.keys(statusNames).filter((status) => new StatusError(Number(status)).passing)
        expect(passing.map(Number)).toStrictEqual([0x11, 0xee, 0xff])
        expect(new StatusError(0x08)).toMatchObject({ code: "health-test-error", passing: false })
        expect(new StatusError(0x42)).toMatchObject({ code: "unknown", status: 0x42, passing: false })
        expect(new StatusError(0x0f).message).toBe("the chip answers with the status 0f, execution-error")
    })
})

describe("the driver's commands", () => {
    test("are those of the vectors", () => {
        const made = (name: string): string =>
            toHex(vectors.commands.find((vector) => vector.name === name)!.packet_without_word_address)
        expect(toHex(makeCommand(commands.random))).toBe(made("random"))
        expect(toHex(makeCommand(commands.readBlock))).toBe(made("read_config_block0_32"))
        expect(commands.readLocks).toMatchObject({ opcode: 0x02, mode: 0x00, parameter: 0x15 })
        expect(commands.info).toMatchObject({ opcode: 0x30, mode: 0x00, parameter: 0x00 })
    })

    test("only read: none locks, writes or makes a key", () => {
        expect(Object.values(commands).map(({ opcode }) => opcode)).toStrictEqual([0x30, 0x02, 0x02, 0x1b])
    })

    test("are sent to the vectors' word addresses", () => {
        for (const [name, bytes] of Object.entries(vectors.word_address)) {
            expect(wordAddress).toHaveProperty(name, bytes[0])
        }
    })
})

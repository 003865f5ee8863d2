import { systemRandom } from "@tallylight/node/system-random.js"
import { PNG } from "pngjs"
import { expect, test } from "vitest"
import { heatmapOf, imageOf, soundOf } from "./pictures.ts"

function decoded(png: Uint8Array): PNG {
    return PNG.sync.read(Buffer.from(png))
}

test("an image has the bytes as its pixels, in order", () => {
    const bytes = systemRandom(3 * 7 * 5)
    const { width, height, data } = decoded(imageOf(bytes, 7, 5))
    expect([width, height]).toEqual([7, 5])
    const shown = Uint8Array.from(data).filter((_, at) => at % 4 !== 3)
    expect(shown).toEqual(bytes)
})

test("a heatmap shows a pair that occurs more often at its place, and the others below the middle", () => {
    // Each pair once, and (10, 200) another 65,536 times: the mean is 2.
    const pairs = Array.from({ length: 65_536 }, (_, pair) => [pair & 255, pair >> 8]).flat()
    const bytes = Uint8Array.from([...pairs, ...Array.from({ length: 65_536 }, () => [10, 200]).flat()])
    const { width, height, data } = decoded(heatmapOf(bytes))
    expect([width, height]).toEqual([256, 256])
    const greyAt = (x: number, y: number): number => data[4 * (y * 256 + x)] ?? -1
    expect(greyAt(10, 200)).toBe(255)
    // 128 - 24 / √2
    expect(greyAt(200, 10)).toBe(111)
    expect(greyAt(0, 0)).toBe(111)
})

test("a heatmap of evenly spread pairs is grey", () => {
    const pairs = Array.from({ length: 65_536 }, (_, pair) => [pair & 255, pair >> 8]).flat()
    const { data } = decoded(heatmapOf(Uint8Array.from(pairs)))
    expect(new Set(data.filter((_, at) => at % 4 === 0))).toEqual(new Set([128]))
})

test("a sound is a WAV file of 16-bit samples on one channel", () => {
    const samples = systemRandom(1000)
    const wav = Buffer.from(soundOf(samples))
    expect(wav.toString("latin1", 0, 4)).toBe("RIFF")
    expect(wav.readUInt32LE(4)).toBe(wav.length - 8)
    expect(wav.toString("latin1", 8, 16)).toBe("WAVEfmt ")
    const format = [wav.readUInt32LE(16), wav.readUInt16LE(20), wav.readUInt16LE(22), wav.readUInt32LE(24)]
    expect(format).toEqual([16, 1, 1, 44_100])
    expect([wav.readUInt32LE(28), wav.readUInt16LE(32), wav.readUInt16LE(34)]).toEqual([88_200, 2, 16])
    expect(wav.toString("latin1", 36, 40)).toBe("data")
    expect(wav.readUInt32LE(40)).toBe(1000)
    expect(new Uint8Array(wav.subarray(44))).toEqual(samples)
})

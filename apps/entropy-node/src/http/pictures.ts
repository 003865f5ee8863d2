/** Amplified bytes to look at and to listen to. */
import { Buffer } from "node:buffer"
import { PNG } from "pngjs"

/** Random bytes do not compress: the search for what does would take ten times as long as the rest. */
const storing = { deflateLevel: 0, filterType: 0 } as const

/** A PNG with three bytes a pixel, row by row: red, green, blue. */
export function imageOf(rgb: Uint8Array, width: number, height: number): Uint8Array {
    return png(rgb, width, height, 2)
}

export const heatmapSide = 256

/**
 * How often each pair of bytes occurs among pairs that do not overlap, as a PNG of 256 by 256 grey pixels: the first
 * byte of the pair counts from left to right, the second from top to bottom. Middle grey is the mean; 24 levels of grey
 * are one standard deviation of a Poisson distribution with that mean, which is what chance gives. A source that
 * prefers a byte shows a line, one that repeats itself a diagonal.
 */
export function heatmapOf(bytes: Uint8Array): Uint8Array {
    const counts = new Uint32Array(heatmapSide * heatmapSide)
    const pairs = Math.floor(bytes.length / 2)
    for (let at = 0; at < 2 * pairs; at += 2) {
        const pixel = (bytes[at + 1] ?? 0) * heatmapSide + (bytes[at] ?? 0)
        counts[pixel] = (counts[pixel] ?? 0) + 1
    }
    const mean = pairs / counts.length
    const grey = Uint8Array.from(counts, (count) => {
        const level = 128 + (24 * (count - mean)) / Math.sqrt(mean)
        return Math.max(0, Math.min(255, Math.round(level)))
    })
    return png(grey, heatmapSide, heatmapSide, 0)
}

export const sampleRate = 44_100

/** A WAV file with one channel of 16-bit samples (little-endian PCM), as white noise as the bytes are random. */
export function soundOf(samples: Uint8Array): Uint8Array {
    const header = Buffer.alloc(44)
    header.write("RIFF", 0, "latin1")
    header.writeUInt32LE(36 + samples.length, 4)
    header.write("WAVEfmt ", 8, "latin1")
    // The format's chunk: its length, PCM, channels, samples and bytes a second, bytes and bits of a sample.
    header.writeUInt32LE(16, 16)
    header.writeUInt16LE(1, 20)
    header.writeUInt16LE(1, 22)
    header.writeUInt32LE(sampleRate, 24)
    header.writeUInt32LE(2 * sampleRate, 28)
    header.writeUInt16LE(2, 32)
    header.writeUInt16LE(16, 34)
    header.write("data", 36, "latin1")
    header.writeUInt32LE(samples.length, 40)
    return Buffer.concat([header, samples])
}

/** Colour types as in the PNG specification §11.2.1: 0 is grey, 2 red, green and blue. */
function png(data: Uint8Array, width: number, height: number, colorType: 0 | 2): Uint8Array {
    const picture = new PNG({ width, height })
    picture.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    return PNG.sync.write(picture, { ...storing, colorType, inputColorType: colorType, inputHasAlpha: false })
}

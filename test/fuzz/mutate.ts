/** Inputs that are nearly right: a valid one, changed in one to four places. */
import { concatBytes } from "@tallylight/crypto/bytes.js"
import type { Dice } from "./dice.ts"

type Mutation = (input: Uint8Array, dice: Dice, corpus: readonly Uint8Array[]) => Uint8Array

/** Ends of ranges, and bytes that head MessagePack values, lines of notes and paths of tiles. */
const telling = [
    0, 1, 0x0a, 0x20, 0x2b, 0x2f, 0x30, 0x7f, 0x80, 0x8f, 0x90, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc7,
]
const headers = [0xc6, 0xc9, 0xca, 0xcb, 0xcf, 0xd3, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xfe, 0xff]
const interesting = [...telling, ...headers]

const mutations: readonly Mutation[] = [
    /* flip a bit */ (input, dice) => at(input, dice, (byte) => byte ^ (1 << dice.below(8))),
    /* another byte */ (input, dice) => at(input, dice, () => dice.below(256)),
    /* a telling byte */ (input, dice) => at(input, dice, () => dice.pick(interesting)),
    /* one up or down */ (input, dice) => at(input, dice, (byte) => byte + dice.pick([1, -1])),
    /* cut the end */ (input, dice) => input.slice(0, dice.below(input.length + 1)),
    /* cut out */ (input, dice) => {
        const [from, to] = span(input, dice)
        return concatBytes(input.subarray(0, from), input.subarray(to))
    },
    /* say twice */ (input, dice) => {
        const [from, to] = span(input, dice)
        return concatBytes(input.subarray(0, to), input.subarray(from))
    },
    /* put in */ (input, dice) => {
        const place = dice.below(input.length + 1)
        return concatBytes(input.subarray(0, place), dice.bytes(1 + dice.below(8)), input.subarray(place))
    },
    /* same byte throughout */ (input, dice) => {
        const [from, to] = span(input, dice)
        return input.slice().fill(dice.pick(interesting), from, to)
    },
    /* the end of another */ (input, dice, corpus) => {
        const other = dice.pick(corpus)
        return concatBytes(
            input.subarray(0, dice.below(input.length + 1)),
            other.subarray(dice.below(other.length + 1)),
        )
    },
]

export function mutate(corpus: readonly Uint8Array[], dice: Dice): Uint8Array {
    let input = dice.pick(corpus)
    for (let left = 1 + dice.below(4); left > 0; left--) input = dice.pick(mutations)(input, dice, corpus)
    return input
}

function at(input: Uint8Array, dice: Dice, change: (byte: number) => number): Uint8Array {
    if (input.length === 0) return input
    const place = dice.below(input.length)
    const changed = input.slice()
    changed[place] = change(changed[place] ?? 0)
    return changed
}

/** Mostly short. */
function span(input: Uint8Array, dice: Dice): [from: number, to: number] {
    const from = dice.below(input.length + 1)
    return [from, Math.min(input.length, from + dice.below(dice.pick([4, 33, input.length + 1])))]
}

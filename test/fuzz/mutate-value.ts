/** Messages that are well-formed MessagePack and nearly right: a valid one with one field of another kind. */
import { pack } from "msgpackr"
import type { Dice } from "./dice.ts"

type Map = Record<string, unknown>

/** A name that some runtime or some reader might treat apart, or that a message has elsewhere. */
const names = [
    "__proto__",
    "constructor",
    "toString",
    "type",
    "id",
    "chain",
    "body",
    "kind",
    "",
    "index",
    "é",
]

const strangers: readonly ((dice: Dice) => unknown)[] = [
    () => null,
    (dice) => dice.pick([true, false]),
    (dice) => dice.pick([0, -1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), Infinity, NaN, -0]),
    (dice) => dice.pick([0n, 2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)]),
    (dice) => dice.bytes(dice.pick([0, 1, 31, 32, 33, 64, 80])),
    (dice) => "x".repeat(dice.pick([0, 1, 32, 300])),
    (dice) =>
        dice.pick(["party", "requester", "beacon", "\u0000", "\ufeff", "\u202e", "ReqHello", "RespError"]),
    (dice) => new Array<null>(dice.pick([0, 1, 17, 1025])).fill(null),
    (dice) => nested(dice.below(9)),
    () => new Date(0),
    () => new Map([[1, 2]]),
    (dice) => ({ [dice.pick(names)]: 1 }),
]

export function mutateMessage(message: Map, dice: Dice): Uint8Array {
    return pack(changed(message, dice))
}

/** One step down with each call, until a change is made. */
function changed(value: unknown, dice: Dice): unknown {
    const stop = dice.below(4) === 0
    if (isList(value) && value.length > 0 && !stop) {
        const place = dice.below(value.length)
        return dice.pick([
            () => value.map((item, at) => (at === place ? changed(item, dice) : item)),
            () => value.filter((_, at) => at !== place),
            () => [...value, value[place]],
        ])()
    }
    if (isMap(value) && !stop) {
        const name = dice.pick([...Object.keys(value), dice.pick(names)])
        const { [name]: field, ...others } = value
        return dice.pick([
            () => ({ ...value, [name]: changed(field, dice) }),
            () => others,
            () => ({ ...value, [dice.pick(names)]: changed(field, dice) }),
        ])()
    }
    return dice.pick(strangers)(dice)
}

function nested(depth: number): unknown {
    return depth === 0 ? [] : [nested(depth - 1)]
}

function isList(value: unknown): value is unknown[] {
    return Array.isArray(value)
}

function isMap(value: unknown): value is Map {
    return (
        typeof value === "object" && value !== null && !(value instanceof Uint8Array) && !Array.isArray(value)
    )
}

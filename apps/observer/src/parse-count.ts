import { InvalidArgumentError } from "commander"

/** For commander: a number from 1 up. */
export function parseCount(value: string): number {
    if (!/^[1-9][0-9]{0,14}$/.test(value)) throw new InvalidArgumentError("A number from 1 up is needed.")
    return Number(value)
}

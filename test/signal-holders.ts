/** How many wait for a signal: its listeners, and what AbortSignal.any made of it, of which Node has no public count. */
import { getEventListeners } from "node:events"

export function signalHolders(signal: AbortSignal): number {
    const dependants = Object.getOwnPropertySymbols(signal)
        .filter(({ description }) => description === "kDependantSignals")
        .map((symbol) => Reflect.get(signal, symbol) as { readonly size: number } | undefined)
    return dependants.reduce((sum, set) => sum + (set?.size ?? 0), getEventListeners(signal, "abort").length)
}

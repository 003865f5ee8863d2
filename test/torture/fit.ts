/** What a series of measurements says. */

/** Of an ascending or any other order; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
    const sorted = values.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN
}

export function mean(values: readonly number[]): number {
    return values.reduce((sum, value) => sum + value, 0) / values.length
}

export type Line = { readonly slope: number; readonly standardError: number }

/** Least squares; NaN of fewer than three points. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line {
    if (points.length < 3) return { slope: NaN, standardError: NaN }
    const [x, y] = [mean(points.map((point) => point[0])), mean(points.map((point) => point[1]))]
    const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
    const slope = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread
    const residual = points.reduce((sum, point) => sum + (point[1] - y - slope * (point[0] - x)) ** 2, 0)
    return { slope, standardError: Math.sqrt(residual / (points.length - 2) / spread) }
}

/** “1 beacon”, “2 beacons”. */
export function amount(count: number, one: string, many = `${one}s`): string {
    return `${count} ${count === 1 ? one : many}`
}

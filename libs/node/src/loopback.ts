/** Whether only programs of this machine can connect to it. */
export function isLoopback(host: string): boolean {
    return host === "localhost" || host === "::1" || host === "[::1]" || /^127\.[0-9.]+$/.test(host)
}

/** Where a server is reached: at a port, or by a Unix socket. */
import { chmod, lstat, mkdtemp, rename, rm, rmdir } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import type { FastifyInstance } from "fastify"
import type { Door } from "./caller.ts"
import type { HttpSettings } from "./settings.ts"

/** Resolves with its address; rejects with a {@link UserError} where it cannot be had. */
export async function listen(
    http: FastifyInstance,
    door: Exclude<Door, "socket">,
    host: string,
    port: number,
): Promise<string> {
    try {
        await http.listen({ host, port })
        const bound = http.server.address()
        const shown = typeof bound === "object" && bound !== null ? bound.port : port
        return `${door}://${host.includes(":") ? `[${host}]` : host}:${shown}`
    } catch (error) {
        const code = systemCode(error)
        if (code === "EADDRINUSE")
            throw new UserError(`port ${port} of ${host} is taken; stop what uses it, or choose another`)
        if (code === "EACCES")
            throw new UserError(`port ${port} of ${host} is reserved; choose one above 1023`)
        if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
            throw new UserError(`${host} is not an address of this machine`)
        throw error
    }
}

/**
 * The socket gets its name once it has its mode: it is made in a folder that nobody else can enter, so that nobody
 * connects before. One that was left over by a process that died is replaced.
 */
export async function listenOnSocket(
    http: FastifyInstance,
    { path, group }: NonNullable<HttpSettings["socket"]>,
): Promise<() => Promise<void>> {
    if (await isListening(path))
        throw new UserError(`another process listens on ${path}; stop it, or choose another`)
    await refuseOtherFile(path)
    const folder = await mkdtemp(`${path}.`).catch((error: unknown) => {
        throw new UserError(`the socket ${path} cannot be made (${systemCode(error) ?? "unknown"})`, {
            cause: error,
        })
    })
    const draft = join(folder, "s")
    await http.listen({ path: draft })
    await chmod(draft, group ? 0o660 : 0o600)
    await rename(draft, path)
    await rmdir(folder)
    return () => rm(path, { force: true })
}

function isListening(path: string): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect(path)
        const answer = (is: boolean) => (): void => {
            socket.destroy()
            resolve(is)
        }
        socket.once("connect", answer(true))
        socket.once("error", answer(false))
    })
}

async function refuseOtherFile(path: string): Promise<void> {
    const found = await lstat(path).catch(() => undefined)
    if (found !== undefined && !found.isSocket())
        throw new UserError(`${path} is there and is no socket; move it away, or choose another`)
}

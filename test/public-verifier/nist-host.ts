/**
 * beacon.nist.gov as a client sees it that knows no other address: a proxy on loopback, and behind it an HTTPS server with
 * a certificate for that name, which answers what a node of ours answers. Nothing is sent to anybody else.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { connect } from "node:net"
import type { AddressInfo } from "node:net"
import type { Certificate } from "../certificates.ts"

export const nistName = "beacon.nist.gov"

export type NistHost = {
    /** For the client's HTTPS_PROXY. */
    readonly proxy: string
    /** Answers that a node gave, by path. */
    readonly asked: readonly string[]
    readonly close: () => Promise<void>
}

/** `edit` changes the text of an answer on its way, as whoever stands between them could. */
export async function standInForNist(
    node: string,
    { cert, key }: Certificate,
    edit: (text: string) => string,
): Promise<NistHost> {
    const asked: string[] = []
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
        const path = request.url ?? ""
        const { status, headers, body } = await ask(node + path, request.headers.accept)
        asked.push(path)
        response.writeHead(status, { "content-type": headers.get("content-type") ?? "text/plain" })
        response.end(edit(body))
    }
    const host = createTlsServer({ cert, key }, (request, response) => {
        answer(request, response).catch(() => response.writeHead(502).end())
    })
    const proxy = createServer((_request, response) => response.writeHead(405).end())
    await Promise.all([listening(host), listening(proxy)])
    proxy.on("connect", ({ url }: IncomingMessage, socket) => {
        if (url !== `${nistName}:443`) {
            socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        }
        const through = connect(portOf(host), "127.0.0.1", () => {
            socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
            socket.pipe(through).pipe(socket)
        })
        for (const [end, other] of [
            [through, socket],
            [socket, through],
        ] as const)
            end.on("error", () => undefined).on("close", () => other.destroy())
    })
    return {
        proxy: `http://127.0.0.1:${portOf(proxy)}`,
        asked,
        close: async () => {
            for (const server of [host, proxy]) {
                server.closeAllConnections()
                server.close()
                await once(server, "close")
            }
        },
    }
}

type Answer = { readonly status: number; readonly headers: Headers; readonly body: string }

async function ask(url: string, accept = "application/json"): Promise<Answer> {
    const response = await fetch(url, { headers: { accept } })
    return { status: response.status, headers: response.headers, body: await response.text() }
}

async function listening(server: Server): Promise<void> {
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
}

function portOf(server: Server): number {
    return (server.address() as AddressInfo).port
}

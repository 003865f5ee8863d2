/**
 * Small facts that must outlive a crash: what was sent, what was seen. A write is durable once its promise
 * resolves, and leaves the old value or the new one, never a mixture.
 */
export interface Notebook {
    read(name: string): Promise<Uint8Array | undefined>
    write(name: string, value: Uint8Array): Promise<void>
}

/** Forgets everything with the process; for tests and for those who promise nothing. */
export class MemoryNotebook implements Notebook {
    readonly #pages = new Map<string, Uint8Array>()

    read(name: string): Promise<Uint8Array | undefined> {
        return Promise.resolve(this.#pages.get(name)?.slice())
    }

    write(name: string, value: Uint8Array): Promise<void> {
        this.#pages.set(name, value.slice())
        return Promise.resolve()
    }
}

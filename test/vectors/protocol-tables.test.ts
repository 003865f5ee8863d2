/** The tables of PROTOCOL.md say what the code does, in the code's order; a change of one is a change of the other. */
import { readFileSync } from "node:fs"
import { encodeEntry, entryKinds, voidReasons } from "@tallylight/protocol/ledger/entry.js"
import { closeCodes } from "@tallylight/protocol/ports/channel.js"
import { tags } from "@tallylight/protocol/tags.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { entryRules, laterRules, logRules } from "@tallylight/protocol/verify/rules.js"
import { messages } from "@tallylight/protocol/wire/messages.js"
import { refusals } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"

const page = readFileSync(new URL("../../docs/PROTOCOL.md", import.meta.url), "utf8")

/** The rows under the header that has exactly these columns, without the code marks of their first cell. */
function table(...columns: readonly string[]): string[][] {
    const lines = page.split("\n")
    const header = `| ${columns.join(" | ")} |`
    const at = lines.indexOf(header)
    expect(lines.filter((line) => line === header)).toHaveLength(1)
    const end = lines.findIndex((line, index) => index > at && !line.startsWith("|"))
    return lines.slice(at + 2, end).map((line) =>
        line
            .slice(2, -2)
            .split(/(?<!\\)\|/)
            .map((cell) => cell.trim()),
    )
}

function marked(cell: string | undefined): string[] {
    return [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? "")
}

function firstMarked(rows: readonly string[][]): (string | undefined)[] {
    return rows.map(([cell]) => marked(cell)[0])
}

test("every refusal code is there, with its disposition and meaning", () => {
    const shown = table("code", "disposition", "meaning").map(([code, disposition, meaning]) => [
        marked(code)[0],
        [disposition, meaning],
    ])
    expect(shown).toEqual(Object.entries(refusals))
})

test("every rule about entries is there, with its meaning, kinds and codes", () => {
    const shown = table("rule", "holds when", "kinds", "codes").map(([rule, says, kinds, codes]) => ({
        rule: marked(rule)[0],
        says,
        kinds: kinds === "all" ? entryKinds : kinds?.split(", "),
        codes: marked(codes),
    }))
    const coded = Object.entries(entryRules).map(([rule, { says, kinds, codes }]) => ({
        rule,
        says,
        kinds: [...kinds],
        codes: [...codes],
    }))
    expect(shown).toEqual(coded)
})

test("every rule about the log is there, and those of later versions", () => {
    const shown = table("rule", "holds when", "codes").map(([rule, says, codes]) => ({
        rule: marked(rule)[0],
        says,
        codes: marked(codes),
    }))
    const coded = Object.entries(logRules).map(([rule, { says, codes }]) => ({
        rule,
        says,
        codes: [...codes],
    }))
    expect(shown).toEqual(coded)
    const later = table("rule", "will hold when").map(([rule, says]) => [marked(rule)[0], says])
    expect(later).toEqual(Object.entries(laterRules))
})

test("every tag is there, and no other", () => {
    expect(firstMarked(table("tag", "used in", "for"))).toEqual(Object.values(tags))
})

test("every kind of entry is there with its byte, and its fields have a table", () => {
    const shown = table("kind", "byte", "section").map(([kind, byte]) => [marked(kind)[0], Number(byte)])
    expect(shown).toEqual(entryKinds.map((kind, byte) => [kind, byte]))
    const titles = [...page.matchAll(/^\*\*([a-z-]+) \((\d+)\)\*\*$/gm)].map(([, kind, byte]) => [
        kind,
        Number(byte),
    ])
    expect(titles).toEqual(shown)
})

test("every void reason is there with its byte", () => {
    const shown = table("reason", "byte", "when", "then").map(([reason, byte]) => [
        marked(reason)[0],
        Number(byte),
    ])
    expect(shown).toEqual(voidReasons.map((reason, byte) => [reason, byte]))
})

test("every message is there, with its fields in order", () => {
    const shown = table("message", "from -> to", "body").map(([message, , body]) => {
        const plain = (body ?? "").replace(/\{[^}]*\}|\([^)]*\)/g, "")
        const names = plain.split(/;|\. Or /).map((field) => /^\w+/.exec(field.trim())?.[0])
        return [marked(message)[0], names.filter((name) => name !== "empty")]
    })
    expect(shown).toEqual(Object.entries(messages).map(([name, schema]) => [name, fieldsOf(schema)]))
})

function fieldsOf(schema: (typeof messages)[keyof typeof messages]): string[] {
    const forms = "options" in schema ? schema.options : [schema]
    return forms.flatMap(({ shape }) => Object.keys(shape))
}

test("every close code is there", () => {
    const shown = table("name", "code", "meaning").map(([name, code]) => [marked(name)[0], Number(code)])
    expect(shown).toEqual(Object.entries(closeCodes))
})

test("the tables of fields decode every entry of the sample", () => {
    const sections = page.split(/^\*\*([a-z-]+) \(\d+\)\*\*$/m)
    const ledger = sampleLedger()
    for (const kind of entryKinds) {
        const [, section] = (sections[sections.indexOf(kind) + 1] ?? "").split("\n\n")
        const rows = [...(section ?? "").matchAll(/^\| (\w+) \| ([^|]+) \|/gm)].filter(
            ([, name]) => name !== "field",
        )
        const fields = rows.map(([, name, type]) => [name ?? "", (type ?? "").trim()] as const)
        const entries = ledger.entries.filter((entry) => entry.kind === kind)
        expect(entries.length).toBeGreaterThan(0)
        for (const entry of entries) {
            const cursor = new Cursor(encodeEntry(entry))
            const head = [cursor.read("u8"), cursor.read("u64")]
            const shown = fields.map(([name, type]) => [name, cursor.read(type)])
            const { kind: _, time, ...rest } = entry
            const flat = Object.entries(rest as Record<string, unknown>).flatMap(([name, value]) =>
                name === "share" || name === "parameters" ? Object.entries(value as object) : [[name, value]],
            )
            expect([...head, cursor.left]).toEqual([entryKinds.indexOf(kind), time, 0])
            expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(flat as [string, unknown][]))
        }
    }
})

/** Reads bytes as the type column of PROTOCOL.md §6.1 says, and as nothing else does. */
class Cursor {
    readonly #bytes: Uint8Array
    #at = 0

    constructor(bytes: Uint8Array) {
        this.#bytes = bytes
    }

    get left(): number {
        return this.#bytes.length - this.#at
    }

    read(type: string): unknown {
        const integer = /^u(8|16|32|64)$/.exec(type)
        if (integer) return this.#integer(Number(integer[1]) / 8)
        const fixed = /^bytes\[(\d+)\]$/.exec(type)
        if (fixed) return this.#take(Number(fixed[1]))
        if (type === "flag") return this.#integer(1) === 1
        if (type.startsWith("blob(")) return this.#take(this.#integer(2))
        if (type.startsWith("text(")) return new TextDecoder().decode(this.#take(this.#integer(2)))
        const choices = /^choice\(([^)]+)\)$/.exec(type)
        if (choices) return choices[1]?.split(", ")[this.#integer(1)]
        const items = /^list\((.+), (\d+), (\d+)\)$/.exec(type)
        if (items) return Array.from({ length: this.#integer(2) }, () => this.#item(items[1] ?? ""))
        throw new Error(`PROTOCOL.md has a type ${type} that it does not explain`)
    }

    #item(type: string): unknown {
        const fields = /^\{ (.+) \}$/.exec(type)?.[1]
        if (fields === undefined) return this.read(type)
        const pairs = fields.split(", ").map((field) => field.split(": "))
        return Object.fromEntries(pairs.map(([name, of]) => [name, this.read(of ?? "")]))
    }

    #integer(width: number): number {
        return this.#take(width).reduce((sum, byte) => sum * 256 + byte, 0)
    }

    #take(length: number): Uint8Array {
        this.#at += length
        return this.#bytes.slice(this.#at - length, this.#at)
    }
}

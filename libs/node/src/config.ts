import jsonc, { type ParseError } from "jsonc-parser"
import type { z } from "zod"

import { readIfThere } from "./durable-file.ts"
import { UserError } from "./user-error.ts"

/** What the command line sets, laid over what the file says; undefined leaves the file's value. */
export type Overrides = { readonly [key: string]: Overrides | string | number | boolean | undefined }

/**
 * Reads a file of JSON with comments against a schema made of `z.strictObject`, which refuses misspelt keys and
 * supplies defaults. Without a file, the overrides and the defaults are all.
 */
export async function loadConfig<Schema extends z.ZodType>(
    schema: Schema,
    file?: string,
    overrides: Overrides = {},
): Promise<z.output<Schema>> {
    const written = file === undefined ? {} : parse(file, await read(file))
    const config = schema.safeParse(isRecord(written) ? overlay(written, overrides) : written)
    if (config.success) return config.data
    const where = file ?? "the configuration"
    throw new UserError(config.error.issues.flatMap((issue) => sentences(where, issue)).join("\n"))
}

async function read(file: string): Promise<string> {
    const content = await readIfThere(file)
    if (content === undefined) throw new UserError(`there is no configuration file ${file}`)
    return content.toString("utf8").replace(/^\uFEFF/, "")
}

function parse(file: string, text: string): unknown {
    const errors: ParseError[] = []
    const value: unknown = jsonc.parse(text, errors, { allowTrailingComma: true })
    const [first] = errors
    if (first !== undefined) {
        throw new UserError(`${file}:${place(text, first.offset)}: ${jsonc.printParseErrorCode(first.error)}`)
    }
    const twice = repeatedKey(text)
    if (twice !== undefined)
        throw new UserError(`${file}:${place(text, twice.offset)}: “${twice.key}” is set twice`)
    return value
}

/** Parsers take the last of two equal keys; the person who wrote the first would never know. */
function repeatedKey(text: string): { key: string; offset: number } | undefined {
    const open: Set<string>[] = []
    let found: { key: string; offset: number } | undefined
    jsonc.visit(
        text,
        {
            onObjectBegin: () => void open.push(new Set()),
            onObjectEnd: () => void open.pop(),
            onObjectProperty: (key, offset) => {
                const keys = open.at(-1)
                if (keys?.has(key)) found ??= { key, offset }
                keys?.add(key)
            },
        },
        { allowTrailingComma: true },
    )
    return found
}

function place(text: string, offset: number): string {
    const before = text.slice(0, offset).split("\n")
    return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`
}

function overlay(under: Record<string, unknown>, over: Overrides): Record<string, unknown> {
    const merged = { ...under }
    for (const [key, value] of Object.entries(over)) {
        const below = merged[key]
        if (typeof value === "object") merged[key] = overlay(isRecord(below) ? below : {}, value)
        else if (value !== undefined) merged[key] = value
    }
    return merged
}

function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null && !Array.isArray(value)
}

function sentences(where: string, issue: z.core.$ZodIssue): string[] {
    if (issue.code === "unrecognized_keys") {
        return issue.keys.map(
            (key) => `${where}: ${[...issue.path, key].join(".")}: there is no such setting`,
        )
    }
    const path = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `
    return [`${where}: ${path}${issue.message}`]
}

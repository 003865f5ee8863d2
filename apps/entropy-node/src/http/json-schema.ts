/** Schemas of values as JSON Schema, for the description of the HTTP side. */
import { z } from "zod"

export type JsonSchema = Readonly<Record<string, unknown>>

export function schemaOf(type: z.ZodType, io: "input" | "output"): JsonSchema {
    const { $schema: _, ...schema } = z.toJSONSchema(type, { io, unrepresentable: "any" })
    return schema
}

/** Each package declares what it imports: an installation without what only tests need has nothing else. */
import { readdir, readFile } from "node:fs/promises"
import { isBuiltin } from "node:module"
import ts from "typescript"
import { expect, test } from "vitest"
import { z } from "zod"

const root = new URL("../../", import.meta.url)
const manifest = z.object({
    name: z.string(),
    dependencies: z.record(z.string(), z.string()).default({}),
    optionalDependencies: z.record(z.string(), z.string()).default({}),
})

const folders = await Promise.all(
    ["libs/", "apps/"].map(async (group) =>
        (await readdir(new URL(group, root))).map((name) => `${group}${name}/`),
    ),
)

/** The part of a specifier that is the package's name. */
function packageOf(specifier: string): string {
    return specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/")
}

test.each(folders.flat())("%s declares what it imports", async (folder) => {
    const text = await readFile(new URL(`${folder}package.json`, root), "utf8")
    const { name, dependencies, optionalDependencies } = manifest.parse(JSON.parse(text))
    const declared = new Set([name, ...Object.keys(dependencies), ...Object.keys(optionalDependencies)])
    const source = new URL(`${folder}src/`, root)
    const files = (await readdir(source, { recursive: true })).filter((file) => /(?<!\.test)\.ts$/.test(file))
    expect(files.length).toBeGreaterThan(0)
    const imported = new Map<string, string>()
    for (const file of files) {
        const { importedFiles } = ts.preProcessFile(await readFile(new URL(file, source), "utf8"))
        for (const { fileName } of importedFiles) {
            if (!fileName.startsWith(".") && !isBuiltin(fileName)) imported.set(packageOf(fileName), file)
        }
    }
    expect([...imported].filter(([one]) => !declared.has(one))).toStrictEqual([])
})

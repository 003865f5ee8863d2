/** A test run of a few folders, in a copy of the project in which one line is wrong. */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const root = fileURLToPath(new URL("../..", import.meta.url))

export function mutationTests(include: readonly string[]) {
    return defineConfig({
        resolve: {
            // The workspace's own links lead out of the copy, to sources in which nothing is wrong.
            alias: [
                {
                    find: /^@tallylight\/(crypto|entropy|node|protocol)\/(.*)\.js$/,
                    replacement: `${root}libs/$1/src/$2.ts`,
                },
                { find: /^@tallylight\/([\w-]+)\/(.*)\.js$/, replacement: `${root}apps/$1/src/$2.ts` },
            ],
        },
        test: { include: [...include], pool: "threads", isolate: false, testTimeout: 60_000 },
    })
}

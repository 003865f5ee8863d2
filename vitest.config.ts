import { defineConfig } from "vitest/config"

export default defineConfig({
    resolve: { conditions: ["source"] },
    ssr: { resolve: { conditions: ["source"], externalConditions: ["source"] } },
    test: {
        projects: [
            {
                extends: true,
                // These share no state, so threads without isolation run them several times faster. By default vitest leaves a
                // core to itself, which on two cores is half.
                test: {
                    name: "unit",
                    include: ["libs/**/*.test.ts", "apps/**/*.test.ts", "test/**/*.test.ts"],
                    exclude: ["test/network/**", "**/node_modules/**", "**/dist/**"],
                    pool: "threads",
                    isolate: false,
                    maxWorkers: 2,
                    testTimeout: 60_000,
                },
            },
            {
                extends: true,
                test: {
                    name: "network",
                    include: ["test/network/**/*.test.ts"],
                    exclude: ["test/network/attacks/**"],
                    pool: "forks",
                    fileParallelism: false,
                    testTimeout: 180_000,
                    hookTimeout: 60_000,
                },
            },
            {
                extends: true,
                // They wait more than they compute, so that two files at once do not disturb each other.
                test: {
                    name: "attacks",
                    include: ["test/network/attacks/**/*.test.ts"],
                    pool: "forks",
                    maxWorkers: 2,
                    sequence: { groupOrder: 1 },
                    testTimeout: 180_000,
                },
            },
        ],
    },
})

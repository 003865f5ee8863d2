/** What both runs of Stryker have in common; `npm run mutation -- test/mutation/crypto.mjs` or `protocol.mjs`. */
export function mutationRun(name, mutate) {
    return {
        testRunner: "vitest",
        plugins: ["@stryker-mutator/vitest-runner"],
        vitest: { configFile: `test/mutation/${name}.vitest.ts`, related: false },
        mutate: [...mutate, "!**/*.test.ts"],
        // Messages for people may be worded otherwise; a rule may not.
        mutator: { excludedMutations: ["StringLiteral"] },
        ignoreStatic: true,
        coverageAnalysis: "perTest",
        tempDirName: ".stryker",
        ignorePatterns: ["data", "docs", "**/dist", "bench/results", ".turbo"],
        reporters: ["clear-text", "progress", "json"],
        jsonReporter: { fileName: `reports/mutation-${name}.json` },
        clearTextReporter: { logTests: false, reportTests: false, reportScoreTable: true },
        allowEmpty: false,
    }
}

import js from "@eslint/js"
import vitest from "@vitest/eslint-plugin"
import { defineConfig } from "eslint/config"
import tseslint from "typescript-eslint"

const nodeModules = [
    "node:*",
    "ws",
    "sqlite3",
    "pino",
    "fastify",
    "commander",
    "nanoid",
    "jsonc-parser",
    "undici",
    "pkcs11js",
    "i2c-bus",
    "pngjs",
    "@peculiar/*",
]

/** The import law: apps -> libs/node -> libs/protocol -> libs/crypto -> @noble; never sideways, never up. */
function mayNotImport(...patterns) {
    return {
        "no-restricted-imports": [
            "error",
            {
                patterns: patterns.map((group) => ({
                    group: [group],
                    message: "breaks the import law of docs/ARCHITECTURE.md",
                })),
            },
        ],
    }
}

const ambient = [
    "Buffer",
    "Date",
    "setTimeout",
    "setInterval",
    "setImmediate",
    "process",
    "console",
    "crypto",
    "fetch",
    "performance",
]

export default defineConfig(
    { ignores: ["**/dist/**", "**/node_modules/**", "data/**", ".turbo/**"] },
    js.configs.recommended,
    {
        files: ["**/*.ts"],
        extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
        languageOptions: {
            parserOptions: { project: ["./tsconfig.test.json"], tsconfigRootDir: import.meta.dirname },
        },
        rules: {
            "@typescript-eslint/switch-exhaustiveness-check": [
                "error",
                { allowDefaultCaseForExhaustiveSwitch: false, considerDefaultExhaustiveForUnions: false },
            ],
            "@typescript-eslint/restrict-template-expressions": [
                "error",
                { allowNumber: true, allowBoolean: true },
            ],
            "@typescript-eslint/consistent-type-definitions": "off",
            "@typescript-eslint/consistent-type-imports": "error",
            "@typescript-eslint/array-type": ["error", { default: "array" }],
            "@typescript-eslint/no-unused-vars": [
                "error",
                { ignoreRestSiblings: true, varsIgnorePattern: "^_", argsIgnorePattern: "^_" },
            ],
            "@typescript-eslint/no-confusing-void-expression": [
                "error",
                { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
            ],
        },
    },
    {
        files: ["libs/crypto/src/**/*.ts", "libs/entropy/src/**/*.ts", "libs/protocol/src/**/*.ts"],
        ignores: ["**/*.test.ts"],
        rules: {
            "no-restricted-globals": [
                "error",
                ...ambient.map((name) => ({
                    name,
                    message: "no clock, chance, environment or socket below libs/node",
                })),
            ],
            "no-restricted-properties": ["error", { object: "Math", property: "random" }],
        },
    },
    {
        files: ["apps/*/src/**/*.ts", "libs/*/src/**/*.ts"],
        ignores: ["**/*.test.ts"],
        rules: {
            "no-restricted-syntax": [
                "error",
                {
                    selector: "MemberExpression[object.name='AbortSignal'][property.name='any']",
                    message:
                        "it leaves an entry in each of its signals for good, until one that lives long is full; " +
                        "use untilAny of libs/protocol/src/ports/until-any.ts",
                },
            ],
        },
    },
    {
        files: ["libs/crypto/src/**/*.ts"],
        ignores: ["**/*.test.ts"],
        rules: mayNotImport(...nodeModules, "@tallylight/*", "msgpackr", "zod", "**/apps/**"),
    },
    {
        files: ["libs/entropy/src/**/*.ts"],
        ignores: ["**/*.test.ts"],
        rules: mayNotImport(
            ...nodeModules,
            "msgpackr",
            "zod",
            "@noble/*",
            "@tallylight/protocol/*",
            "@tallylight/node/*",
            "**/apps/**",
        ),
    },
    {
        files: ["libs/protocol/src/**/*.ts"],
        ignores: ["**/*.test.ts", "libs/protocol/src/wire/frame.ts"],
        rules: mayNotImport(
            ...nodeModules,
            "msgpackr",
            "@noble/*",
            "@tallylight/node/*",
            "@tallylight/pdl/*",
            "@tallylight/party/*",
            "@tallylight/requester/*",
            "@tallylight/observer/*",
            "@tallylight/entropy-node/*",
            "**/apps/**",
        ),
    },
    {
        files: ["libs/protocol/src/wire/frame.ts"],
        rules: mayNotImport(...nodeModules, "@noble/*", "@tallylight/node/*"),
    },
    {
        files: ["libs/node/src/**/*.ts"],
        ignores: ["**/*.test.ts"],
        rules: mayNotImport(
            "msgpackr",
            "@noble/*",
            "@tallylight/pdl/*",
            "@tallylight/party/*",
            "@tallylight/requester/*",
            "@tallylight/observer/*",
            "@tallylight/entropy-node/*",
            "**/apps/**",
        ),
    },
    {
        files: ["apps/*/src/**/*.ts"],
        ignores: ["**/*.test.ts"],
        rules: mayNotImport(
            "msgpackr",
            "@noble/*",
            "@tallylight/pdl/*",
            "@tallylight/party/*",
            "@tallylight/requester/*",
            "@tallylight/observer/*",
            "@tallylight/entropy-node/*",
            "../../../*",
        ),
    },
    {
        files: ["**/*.test.ts", "test/**/*.ts"],
        plugins: { vitest },
        rules: {
            "vitest/valid-expect": ["error", { maxArgs: 2 }],
            "vitest/no-focused-tests": "error",
            "vitest/no-disabled-tests": "error",
            "@typescript-eslint/no-non-null-assertion": "off",
        },
    },
    {
        files: ["**/*.mjs", "**/*.js"],
        languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
    },
)

/** docs/ATTACKS.md: the table of all attacks, as the list has it. */
import { groups } from "./run.ts"

export function attackTable(): string {
    return groups
        .flatMap(({ title, file, attacks }) => [
            `## ${title[0]?.toUpperCase() ?? ""}${title.slice(1)} (\`test/attacks/${file}\`)`,
            "",
            "| attack | stopped by |",
            "| --- | --- |",
            ...attacks.map(({ name, stoppedBy }) => `| ${name} | ${codeOf(stoppedBy)} |`),
            "",
        ])
        .join("\n")
}

/** Codes as code, words as words. */
function codeOf(stoppedBy: string): string {
    return /^[a-z0-9-]+$/.test(stoppedBy) ? `\`${stoppedBy}\`` : stoppedBy
}

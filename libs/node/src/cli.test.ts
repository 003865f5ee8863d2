import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

import { describe, expect, test } from "vitest"

import { nextLine, run } from "../../../test/processes/run.ts"

const command = (...args: string[]) => run("command.ts", ...args)

describe("a command", () => {
    test("that is done ends with 0", async () => {
        expect(await command("print").ended).toMatchObject({ code: 0, stdout: "printed\n", stderr: "" })
    })

    test("has the common options it asks for, with their defaults", async () => {
        const { stdout } = await command("options", "--data", "d").ended
        expect(JSON.parse(stdout)).toStrictEqual({ data: "d", logLevel: "info" })
        expect(await command("options", "--url", "ws://x").ended).toMatchObject({ code: 2 })
    })

    test("shows help and ends with 0", async () => {
        const { code, stdout } = await command("--help").ended
        expect(code).toBe(0)
        expect(stdout).toContain("Usage: lamp")
    })

    test.each([
        [["print", "--nonsense"], "unknown option '--nonsense'"],
        [["print", "--log-level", "loud"], "argument 'loud' is invalid"],
        [["nonsense"], "unknown command 'nonsense'"],
    ])("that is used wrongly (%j) ends with 2", async (args, problem) => {
        const { code, stdout, stderr } = await command(...args).ended
        expect(code).toBe(2)
        expect(stdout).toBe("")
        expect(stderr).toContain(problem)
    })

    test.each([
        ["user-error", "lamp: there is no lamp; buy one\n"],
        ["defect", "lamp: the lamp broke\n"],
        ["unhandled", "lamp: nobody held the lamp\n"],
    ])("that fails by %s says so in one sentence and ends with 1", async (name, sentence) => {
        expect(await command(name).ended).toMatchObject({ code: 1, stdout: "", stderr: sentence })
    })

    test("shows where a defect comes from on request, and spares a person's mistake", async () => {
        const defect = await command("defect", "--log-level", "debug").ended
        expect(defect.stderr).toMatch(/^lamp: Error: the lamp broke\n {4}at .*command\.ts:/)
        const mistake = await command("user-error", "--log-level", "debug").ended
        expect(mistake.stderr).toBe("lamp: there is no lamp; buy one\n")
    })
})

describe("a signal", () => {
    test.each(["SIGINT", "SIGTERM"] as const)("%s lets an app stop cleanly", async (signal) => {
        const running = command("serve")
        expect(await nextLine(running)).toBe("serving")
        running.kill(signal)
        expect(await running.ended).toMatchObject({
            code: 0,
            stdout: "serving\nstopped cleanly\n",
            stderr: "",
        })
    })

    test.each([
        ["SIGINT", 130],
        ["SIGTERM", 143],
    ] as const)("%s ends work that was not done with %i", async (signal, code) => {
        const running = command("wait")
        expect(await nextLine(running)).toBe("waiting")
        running.kill(signal)
        expect(await running.ended).toMatchObject({ code, stderr: "" })
    })

    test("that comes twice ends the process at once", async () => {
        const running = command("stubborn")
        expect(await nextLine(running)).toBe("staying")
        running.kill("SIGINT")
        expect(await nextLine(running)).toBe("asked")
        running.kill("SIGINT")
        expect(await running.ended).toMatchObject({ code: 130, stderr: "" })
    })
})

describe("whoever started it with a channel", () => {
    const path = fileURLToPath(new URL("../../../test/processes/command.ts", import.meta.url))
    const start = () =>
        spawn(process.execPath, ["--conditions=source", "--import", "tsx", path, "serve"], {
            stdio: ["ignore", "pipe", "ignore", "ipc"],
        })

    test("ends it by ending", async () => {
        const child = start()
        await once(child.stdout!, "data")
        child.disconnect()
        expect(await once(child, "exit")).toStrictEqual([0, null])
    })

    test("ends it also while it is still loading", async () => {
        const child = start()
        child.disconnect()
        expect(await once(child, "exit")).toStrictEqual([143, null])
    })
})

describe("a reader that has seen enough", () => {
    const path = fileURLToPath(new URL("../../../test/processes/command.ts", import.meta.url))
    const node = `"${process.execPath}" --conditions=source --import tsx "${path}"`

    async function shell(line: string): Promise<[stdout: string, stderr: string]> {
        const bash = spawn("bash", ["-c", line])
        let stdout = ""
        let stderr = ""
        bash.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
        bash.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
        await once(bash, "close")
        return [stdout.trim(), stderr]
    }

    test("ends a command that only prints, quietly", async () => {
        const line = `${node} flood | head -n 1 | wc -c; echo "\${PIPESTATUS[0]}"`
        expect(await shell(line)).toStrictEqual(["1000\n0", ""])
    })

    test("does not keep any other from its work", async () => {
        const running = command("work")
        expect(await nextLine(running)).toBe("working")
        running.closeOutput()
        expect(await running.ended).toMatchObject({ code: 0, stderr: "finished\n" })
    })

    test("may have read the remarks too", async () => {
        const line = `${node} work 2>&1 | head -n 1; echo "\${PIPESTATUS[0]}"`
        expect(await shell(line)).toStrictEqual(["working\n0", ""])
    })
})

// Compiles the workspace when a source is newer than the last build; everything it prints goes to standard error.
import { spawnSync } from "node:child_process"
import {
    closeSync,
    existsSync,
    mkdirSync,
    openSync,
    readdirSync,
    rmSync,
    statSync,
    utimesSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, "node_modules/.cache/tallylight-built")
const lock = join(root, "node_modules/.cache/tallylight-building")

function sources() {
    return ["libs", "apps"].flatMap((group) =>
        readdirSync(join(root, group)).flatMap((name) =>
            ["src", "package.json", "tsconfig.json"].map((entry) => join(root, group, name, entry)),
        ),
    )
}

function newest(path) {
    if (!existsSync(path)) return 0
    const info = statSync(path)
    if (!info.isDirectory()) return info.mtimeMs
    return Math.max(info.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

function isBuilt() {
    return existsSync(stamp) && Math.max(...sources().map(newest)) <= statSync(stamp).mtimeMs
}

function takeLock() {
    mkdirSync(dirname(lock), { recursive: true })
    const waiting = new Int32Array(new SharedArrayBuffer(4))
    for (;;) {
        try {
            return closeSync(openSync(lock, "wx"))
        } catch (error) {
            if (error.code !== "EEXIST") throw error
            // A build that was killed leaves its lock behind; none takes two minutes.
            if (existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 120_000)
                rmSync(lock, { force: true })
            Atomics.wait(waiting, 0, 0, 200)
        }
    }
}

export function ensureBuilt() {
    if (isBuilt()) return
    takeLock()
    const status = isBuilt() ? 0 : compile()
    rmSync(lock, { force: true })
    if (status !== 0) process.exit(status)
}

function compile() {
    process.stderr.write("tallylight: compiling …\n")
    const started = new Date()
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const { status } = spawnSync(process.execPath, [tsc, "-b"], { cwd: root, stdio: ["ignore", 2, 2] })
    if (status !== 0) return status ?? 1
    closeSync(openSync(stamp, "w"))
    utimesSync(stamp, started, started)
    return 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ensureBuilt()

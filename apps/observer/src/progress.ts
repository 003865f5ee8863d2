import { isatty } from "node:tty"
import cliProgress from "cli-progress"

export type Progress = {
    readonly update: (done: number, total: number) => void
    /** Takes the bar off the screen, if it is there, so that something can be printed. */
    readonly clear: () => void
}

/** Work of fewer items is over before a bar could be read. */
const worthShowing = 100

/** A bar on standard error, for terminals only; it appears when there is enough to do. */
export function showProgress(verb: string, items = "entries"): Progress {
    if (!isatty(2)) return { update: () => undefined, clear: () => undefined }
    const bar = new cliProgress.SingleBar({
        format: `${verb} {bar} {percentage}% of {total} ${items}, {eta_formatted} left`,
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: true,
    })
    let shown = false
    let start = 0
    return {
        update: (done, total) => {
            if (!shown && total - start >= worthShowing && done < total) {
                bar.start(total, done)
                shown = true
            }
            if (!shown) start = done
            else bar.update(done)
            if (shown && done >= total) {
                bar.stop()
                shown = false
                start = done
            }
        },
        clear: () => {
            if (shown) bar.stop()
            shown = false
        },
    }
}

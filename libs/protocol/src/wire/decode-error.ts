/** The received bytes are not a frame: which part of them, and what is wrong with it. */
export class DecodeError extends Error {
    override readonly name = "DecodeError"
    /** Where in the frame, such as `ReqContribution.C`; `frame` where the bytes have no such parts. */
    readonly path: string
    readonly problem: string
    /** The frame's id, so that its sender learns which message is meant; 0 where it could not be read. */
    readonly id: number

    constructor(path: string, problem: string, id = 0) {
        super(`${path}: ${problem}`)
        this.path = path
        this.problem = problem
        this.id = id
    }
}

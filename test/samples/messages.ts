import type { Message, MessageType } from "@tallylight/protocol/wire/messages.js"

/** Bytes that tell fields apart: no two fields of a sample hold the same ones. */
function filled(length: number, first: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => (first + i) & 0xff)
}

/** Above 2^32, as every time in milliseconds is. */
const time = 1_767_225_600_123

const receipt: Message<"Receipt">["receipt"] = {
    index: 70_000,
    leaf: filled(32, 1),
    time,
    signature: filled(64, 2),
}

const checkpoint =
    "example.org/log\n3\nlHJrV1nYxWo4N8a6VJ2ps0gPhTZ1E1g0xYcFfwGz0yE=\n\n— example.org/log AAAA\n"

/** Well-formed messages of every type, in shape only: nothing here verifies. */
export const samples: { readonly [T in MessageType]: readonly [Message<T>, ...Message<T>[]] } = {
    ReqHello: [
        {
            versions: [1, 0xffffffff],
            role: "party",
            nonce: filled(32, 3),
            identity: filled(32, 4),
            answering: filled(32, 5),
            signature: filled(64, 6),
        },
        {
            versions: [1],
            role: "observer",
            nonce: filled(32, 7),
            identity: null,
            answering: null,
            signature: null,
        },
    ],
    RespHello: [
        {
            version: 1,
            nonce: filled(32, 8),
            genesis: filled(600, 9),
            checkpoint,
            time,
            signature: filled(64, 10),
        },
    ],
    ReqRegister: [
        {
            role: "party",
            identity: filled(32, 11),
            sequence: 0,
            vrfKey: filled(32, 12),
            possession: filled(80, 13),
            signature: filled(64, 14),
        },
        {
            role: "requester",
            identity: filled(32, 15),
            sequence: 2 ** 40,
            dealt: false,
            commitments: [filled(32, 16), filled(32, 17)],
            members: [18, 22, 26].map((first) => ({
                identity: filled(32, first),
                A: filled(32, first + 1),
                s: filled(32, first + 2),
                signature: filled(64, first + 3),
            })),
            signature: filled(64, 30),
        },
        {
            role: "entropy-node",
            identity: filled(32, 87),
            sequence: 1,
            pulseChain: 2,
            hardware: true,
            modulus: filled(512, 88),
            certificateId: filled(64, 89),
            proof: filled(512, 90),
            signature: filled(64, 91),
        },
    ],
    RespRegister: [{ receipt }],
    ReqCommitment: [
        {
            identity: filled(32, 80),
            first: 17,
            values: [filled(64, 81), filled(64, 82)],
            signature: filled(64, 83),
        },
    ],
    RespCommitment: [{ receipt }],
    ReqPulse: [{ identity: filled(32, 84), round: 18, message: filled(807, 85), proof: filled(512, 86) }],
    RespPulse: [{ receipt }],
    ReqRevoke: [{ identity: filled(32, 31), sequence: 1, signature: filled(64, 32) }],
    RespRevoke: [{ receipt }],
    ReqAdmission: [
        { identity: filled(32, 71), admitted: true, sequence: time, signature: filled(64, 72) },
        { identity: filled(32, 73), admitted: false, sequence: 0, signature: filled(64, 74) },
    ],
    RespAdmission: [{ receipt }],
    ReqGenTick: [
        {
            identity: filled(32, 33),
            Y: filled(32, 34),
            nonce: filled(32, 35),
            sequence: 3,
            notBefore: time,
            signature: filled(64, 36),
        },
    ],
    RespGenTick: [{ receipt, position: 4 }],
    ReqThreshold: [{}],
    RespThreshold: [{ round: 5, k: 32, n: 1000, threshold: filled(65, 37) }],
    ReqTicket: [{}],
    RespTicket: [
        {
            round: 5,
            index: 6,
            ticket: filled(32, 38),
            k: 32,
            n: 1000,
            Y: filled(32, 39),
            closesAt: time,
        },
    ],
    ReqPubKey: [{}],
    RespPubKey: [
        {
            round: 5,
            Y: filled(32, 40),
            commitments: [filled(32, 41)],
            members: [filled(32, 42), filled(32, 43)],
        },
    ],
    ReqContribution: [
        {
            round: 5,
            ticket: filled(32, 44),
            identity: filled(32, 45),
            y: filled(64, 46),
            pi: filled(80, 47),
            C: filled(32, 48),
            D: filled(32, 49),
            A: filled(32, 50),
            s: filled(32, 51),
            statement: new Uint8Array(0),
            signature: filled(64, 52),
        },
    ],
    RespContribution: [{ receipt }],
    ReqAbstention: [
        {
            round: 5,
            ticket: filled(32, 53),
            identity: filled(32, 54),
            y: filled(64, 55),
            pi: filled(80, 56),
            signature: filled(64, 57),
        },
    ],
    RespAbstention: [{ receipt }],
    ReqDecryption: [
        {
            round: 5,
            ticket: filled(32, 58),
            C: filled(32, 59),
            D: filled(32, 60),
            index: 7,
            checkpoint,
        },
    ],
    RespDecryption: [
        {
            identity: filled(32, 61),
            member: 1,
            S: filled(32, 62),
            c: filled(32, 63),
            z: filled(32, 64),
            signature: filled(64, 65),
        },
    ],
    Receipt: [{ receipt }],
    ReqSubscribe: [
        { kinds: ["beacon", "void"], index: null, round: 5 },
        { kinds: null, index: 0, round: null },
    ],
    RespSubscribe: [{ from: 8, size: 9 }],
    Event: [
        {
            entries: [
                { index: 8, entry: filled(300, 66) },
                { index: 9, entry: filled(1, 67) },
            ],
            size: 10,
            checkpoint,
        },
    ],
    ReqEntries: [{ from: 10, limit: 1024 }],
    RespEntries: [{ from: 10, entries: [filled(300, 68), filled(65_535, 69)] }],
    ReqProof: [{ index: 11, size: 12 }],
    RespProof: [{ leaf: filled(32, 70), proof: [filled(32, 71), filled(32, 72)] }],
    ReqConsistency: [{ from: 13, to: 14 }],
    RespConsistency: [{ proof: [filled(32, 73)] }],
    RespError: [
        {
            code: "round-closed",
            action: "wait",
            facts: { closedAt: time, late: true, share: 0.5, ticket: "00ff" },
            detail: "The deadline of the round has passed.",
        },
    ],
}

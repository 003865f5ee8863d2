// msgpackr ships no types for its build without code generation. This is the part that frame.ts uses.
declare module "msgpackr/index-no-eval" {
    export class Packr {
        constructor(options: {
            useRecords: false
            mapsAsObjects: true
            variableMapSize: true
            int64AsType: "number"
        })
        pack(value: unknown): Uint8Array
        unpack(bytes: Uint8Array): unknown
    }
}

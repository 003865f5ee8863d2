import { systemCode } from "./user-error.ts"

/** What OpenSSL and Node say of a certificate or a handshake, for the person who must do something about it. */
const problems: Readonly<Record<string, string>> = {
    CERT_HAS_EXPIRED: "its certificate has expired; its operator must renew it",
    CERT_NOT_YET_VALID: "its certificate is not valid yet; look at this machine's clock, or ask its operator",
    ERR_TLS_CERT_ALTNAME_INVALID:
        "its certificate is for another host; use the name that is in it, or ask its operator",
    DEPTH_ZERO_SELF_SIGNED_CERT:
        "its certificate is signed by itself; get it from its operator and give it with --ca",
    SELF_SIGNED_CERT_IN_CHAIN:
        "its certificate is of an authority that is not known here; give that authority's certificate with --ca",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        "its certificate is of an authority that is not known here; give that authority's certificate with --ca",
    UNABLE_TO_GET_ISSUER_CERT:
        "its certificate is of an authority that is not known here; give that authority's certificate with --ca",
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        "its certificate is of an authority that is not known here; give that authority's certificate with --ca",
    UND_ERR_SOCKET: "it closed the connection without an answer; where it speaks TLS, write https",
    CERT_SIGNATURE_FAILURE: "its certificate is not signed by the authority that was given with --ca",
}

/** Half a sentence, to come after “cannot …: ”; undefined where the failure is of another sort. */
export function tlsProblem(error: unknown): string | undefined {
    // fetch and ws give this failure two codes; OpenSSL's words are the same.
    if (error instanceof Error && error.message.includes("wrong version number"))
        return "it does not speak TLS there; try http instead of https"
    return problems[systemCode(error) ?? ""]
}

// Ends with 0 if what HEALTH_URL names answers with success, or where nothing is named: parties and requesters listen nowhere.
/* global AbortSignal, fetch */

const url = process.env.HEALTH_URL ?? ""

if (url !== "") {
    const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(8000) })
    if (!ok) throw new Error(`${url} answers ${status}`)
}

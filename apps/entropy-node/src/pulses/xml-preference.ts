/** Whether an Accept header (RFC 9110 §12.5.1) would rather have XML than JSON, which is what is sent otherwise. */
export function prefersXml(accept: string | undefined): boolean {
    const qualities = new Map((accept ?? "*/*").split(",").map(mediaRange))
    const xml = Math.max(qualities.get("application/xml") ?? 0, qualities.get("text/xml") ?? 0)
    const json = ["application/json", "application/*", "*/*"].find((range) => qualities.has(range))
    return xml > (json === undefined ? 0 : (qualities.get(json) ?? 0))
}

function mediaRange(text: string): [string, number] {
    const [range = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase())
    const quality = parameters.find((parameter) => /^q=[01](\.[0-9]{0,3})?$/.test(parameter))
    return [range, quality === undefined ? 1 : Number(quality.slice(2))]
}

/** The header Server-Timing: `connect;dur=16.0, query;dur=2.0;desc="hyperdrive"`. Source: W3C, Server Timing. */

export interface Metric {
  /** In ms; null without `dur`. */
  readonly durationMs: number | null
  readonly description: string | null
}

/** By name; of a name that comes twice, the first one. What can't be read is left out. */
export function parseServerTiming(header: string): Map<string, Metric> {
  const metrics = new Map<string, Metric>()
  // Commas and semicolons inside quotes are text.
  for (const part of header.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const [name, ...parameters] = (part.match(/(?:[^;"]|"(?:[^"\\]|\\.)*")+/g) ?? []).map(word => word.trim())
    if (!name || metrics.has(name.toLowerCase())) continue
    const value = (wanted: string) => {
      const found = parameters.find(each => each.toLowerCase().startsWith(`${wanted}=`))
      return found
        ?.slice(wanted.length + 1)
        .replace(/^"(.*)"$/, (_, text: string) => text.replace(/\\(.)/g, '$1'))
    }
    const duration = Number.parseFloat(value('dur') ?? '')
    metrics.set(name.toLowerCase(), {
      durationMs: Number.isFinite(duration) ? duration : null,
      description: value('desc') ?? null,
    })
  }
  return metrics
}

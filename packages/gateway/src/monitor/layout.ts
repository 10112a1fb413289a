/**
 * Lines for a terminal of a given width: spans with a style, tables, paragraphs. Widths are counted before colours are
 * put on, and no line is longer than the terminal.
 */

export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan'
export type Span = string | readonly [Style, string]
export type Line = readonly Span[]

export type Column = 'left' | 'right'

const gap = '  '
export const indent = '  '

const textOf = (span: Span) => (typeof span === 'string' ? span : span[1])
const withText = (span: Span, text: string): Span => (typeof span === 'string' ? text : [span[0], text])

export const table = (rows: readonly Line[], columns: readonly Column[], width: number): Line[] =>
  tableRows(rows, columns, width).flat()

/** Row by row, for what stands between them. The last column takes what is left, and wraps. */
export function tableRows(rows: readonly Line[], columns: readonly Column[], width: number): Line[][] {
  const widths = columns.map((_, at) => Math.max(0, ...rows.map(row => textOf(row[at] ?? '').length)))
  const last = columns.length - 1
  const before = indent.length + widths.slice(0, last).reduce((sum, each) => sum + each + gap.length, 0)
  const left = Math.max(10, width - before)
  return rows.map(row => {
    const cells = columns.slice(0, last).flatMap((column, at): Span[] => {
      const text = textOf(row[at] ?? '')
      const padded = column === 'left' ? text.padEnd(widths[at]!) : text.padStart(widths[at]!)
      return [withText(row[at] ?? '', padded), gap]
    })
    const final = row[last] ?? ''
    const lines =
      columns[last] === 'right' ? [textOf(final).padStart(widths[last]!)] : wrap(textOf(final), left)
    return lines.map(
      (text, at): Line =>
        at === 0 ? [indent, ...cells, withText(final, text)] : [' '.repeat(before), withText(final, text)],
    )
  })
}

/** A paragraph; all but its first line begin below the end of `before`. */
export function paragraph(before: Line, text: Span, width: number): Line[] {
  const taken = before.reduce((sum, span) => sum + textOf(span).length, 0)
  return wrap(textOf(text), Math.max(10, width - taken)).map(
    (line, at): Line =>
      at === 0 ? [...before, withText(text, line)] : [' '.repeat(taken), withText(text, line)],
  )
}

/** A unit stays with its figure. */
const breaks = / (?!(?:ms|s|%)(?:[^\w]|$))/

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(breaks)) {
    // A word that is longer than a line (a URL) is cut: it would break the table anyhow.
    const pieces = word.match(new RegExp(`.{1,${width}}`, 'gu')) ?? ['']
    for (const piece of pieces) {
      if (line !== '' && line.length + 1 + piece.length > width) {
        lines.push(line)
        line = piece
      } else {
        line = line === '' ? piece : `${line} ${piece}`
      }
    }
  }
  return [...lines, line]
}

/** The middle is what is left out: of a path both ends tell something. */
export function shortened(text: string, longest: number): string {
  if (text.length <= longest) return text
  const head = Math.ceil((longest - 3) / 2)
  return `${text.slice(0, head)}...${text.slice(text.length - (longest - 3 - head))}`
}

const codes: Record<Style, readonly [number, number]> = {
  ...{ bold: [1, 22], dim: [2, 22] },
  ...{ green: [32, 39], yellow: [33, 39], red: [31, 39], cyan: [36, 39] },
}

/**
 * A stranger's text, as a terminal may show it: what would steer it becomes a space, what is not sure to fill one column
 * a question mark. Without a terminal the rest is ASCII, as all else there.
 */
export function harmless(text: string, ascii: boolean): string {
  const visible = text.normalize('NFC').replace(/[\p{C}\p{Z}]/gu, ' ')
  return ascii
    ? visible.replace(/[^\x20-\x7e]/gu, '?')
    : visible.replace(/[^\x20-\x7e\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\xa1-\xff‐-‧]/gu, '?')
}

export function print(lines: readonly Line[], colour: boolean): string {
  const painted = (span: Span) => {
    const text = textOf(span)
    if (typeof span === 'string') return text
    const [on, off] = codes[span[0]]
    return colour && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text
  }
  return lines.map(line => `${trimmed(line).map(painted).join('')}\n`).join('')
}

/** Without the spaces at its end, which would wrap in a terminal that is exactly as wide. */
function trimmed(line: Line): Line {
  const kept = [...line]
  while (kept.length > 0) {
    const text = textOf(kept.at(-1)!).trimEnd()
    if (text !== '') {
      kept[kept.length - 1] = withText(kept.at(-1)!, text)
      break
    }
    kept.pop()
  }
  return kept
}

/** How the parser's tree is taken apart: `{ Kind: content }`. */
import type { Node } from 'libpg-query'

export function kindOf(node: Node): [kind: string, content: object] {
  const [entry] = Object.entries(node)
  return (entry as [string, object] | undefined) ?? ['nothing', {}]
}

/** The strings among some nodes: the parts of a name. */
export const stringsOf = (nodes: readonly Node[]): string[] =>
  nodes.flatMap(node => ('String' in node ? [node.String.sval ?? ''] : []))

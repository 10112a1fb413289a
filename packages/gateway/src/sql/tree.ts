/**
 * The parts of a node of a tree that PostgreSQL's parser makes, one level down: what is no object is none.
 *
 * Trees are walked for each statement that is new, so nothing is allocated for each of their nodes.
 */

/** @param kind null for a member of a list */
export type Visit<With> = (kind: string | null, child: object, given: With) => void

export function forEachPart<With>(node: object, visit: Visit<With>, given: With): void {
  if (Array.isArray(node)) {
    for (const member of node) if (isNode(member)) visit(null, member, given)
    return
  }
  for (const kind in node) {
    const child = (node as Readonly<Record<string, unknown>>)[kind]
    if (isNode(child)) visit(kind, child, given)
  }
}

const isNode = (value: unknown): value is object => typeof value === 'object' && value !== null

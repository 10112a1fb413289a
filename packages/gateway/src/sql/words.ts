/**
 * Judges texts that PostgreSQL's parser does not read here, by their words: what is too long for it, what it refuses
 * (an error, or the grammar of a newer server) and what nests too deep.
 *
 * It reads the shape, from which literals and comments are gone, and looks at what each statement begins with and at
 * the names that stand before a parenthesis. It knows the statements of which long texts are made, and those that
 * errors are made in; any other may do anything.
 */
import { builtinFunctions } from './builtin-functions.ts'
import { Draft } from './draft.ts'
import { extensionEffects, functionEffects, runsSql } from './function-effects.ts'
import { Needs, type StatementPlan, Touches } from './plan.ts'

/** What begins like this does what its expressions do, and what is looked for below. */
const queries = /^(?:select|insert|update|delete|merge|with|values|table|copy|explain|\()(?![\w$])/
const definitions = /^(?:create|alter|drop)(?![\w$])/
const schemaWords = /\b(?:create|alter|drop|into|do|call|execute)\b/i
const insertOfRows = /^insert into [^'();]+(?:\([^'();]*\))?(?: overriding \w+ value )?values\([^;a-z]*$/

/** What stands before a parenthesis and is no function. */
const keywords = new Set(
  `all and any array as between bit by case char character check coalesce conflict cube dec decimal default distinct
  else end except exists filter float from greatest group grouping having ilike in intersect interval is join json_array
  json_object json_query json_table json_value key lateral least like limit materialized not nullif numeric offset on or
  order over partition precision references returning rollup row select set sets similar some tablesample then time
  timestamp union unique update using values varchar varying when where with within xmlelement xmlforest`.split(
    /\s+/,
  ),
)

/**
 * @param shape of the text, as a string
 * @param whole false: it is the shape of the text's beginning, and anything may follow
 */
export function judgeWords(shape: string, whole: boolean): StatementPlan {
  const draft = new Draft()
  if (!whole) {
    draft.runsUnseen()
    // So does the rest go on, in all likelihood; and the server is asked all the same.
    if (insertOfRows.test(shape)) draft.unknownSettings = false
    else draft.defines('perhaps')
  }
  // A semicolon in a quoted identifier makes two statements of one, of which the second begins with anything.
  for (const statement of shape.split(';')) if (statement !== '') judgeStatement(statement.trimStart(), draft)
  judgeNames(shape, draft)
  return draft.plan(-1)
}

/** A text that can't even be divided into words. Its ASCII letters are there, between whatever else. */
export function judgeBlindly(text: string): StatementPlan {
  const draft = new Draft()
  draft.runsUnseen()
  draft.needs |= Needs.statementNames | Needs.backendSignal
  if (schemaWords.test(text)) draft.defines('yes')
  if (/^\s*load\b/i.test(text)) draft.touch(Touches.lasting)
  return draft.plan(-1)
}

function judgeStatement(statement: string, draft: Draft): void {
  if (definitions.test(statement)) {
    draft.defines('yes')
    draft.touch(Touches.temporary | Touches.sequences)
  } else if (!queries.test(statement)) {
    draft.runsUnseen()
    draft.defines('perhaps')
    if (/^load\b/.test(statement)) draft.touch(Touches.lasting)
  } else {
    if (/\b(?:insert|update|delete|merge|copy)\b/.test(statement)) draft.touch(Touches.sequences)
    if (/^copy\b.*\bfrom stdin\b/.test(statement)) draft.copiesIn = true
    if (/(?<!\b(?:insert|merge) )\binto\b/.test(statement)) {
      draft.touch(Touches.temporary)
      draft.defines('yes')
    }
    if (/^explain\b.*\b(?:create|declare|execute)\b/.test(statement)) draft.runsUnseen()
  }
}

function judgeNames(shape: string, draft: Draft): void {
  if (shape.includes('pg_prepared_statements')) draft.needs |= Needs.statementNames
  // A view that sets parameters; and names in which letters are written as numbers.
  if (shape.includes('pg_settings') || shape.includes('u&"')) draft.setsUnknown()
  if (shape.includes('u&"')) draft.runsUnseen()
  for (let at = shape.indexOf('('); at >= 0; at = shape.indexOf('(', at + 1)) {
    const start = startOfName(shape, at)
    if (start === at) continue
    const written = shape.slice(start, at)
    // Columns, not arguments.
    if (shape.startsWith('into ', start - 5)) continue
    let schemaEnd = start
    if (shape[schemaEnd - 1] === ' ') schemaEnd--
    if (shape[schemaEnd - 1] !== '.') {
      if (!keywords.has(written)) judgeCall(shape, at, undefined, unquoted(written), draft)
      continue
    }
    schemaEnd--
    if (shape[schemaEnd - 1] === ' ') schemaEnd--
    const schemaStart = startOfName(shape, schemaEnd)
    if (shape.startsWith('into ', schemaStart - 5)) continue
    judgeCall(shape, at, unquoted(shape.slice(schemaStart, schemaEnd)), unquoted(written), draft)
  }
}

function judgeCall(shape: string, at: number, schema: string | undefined, name: string, draft: Draft): void {
  if (extensionEffects.has(name)) draft.calls(extensionEffects.get(name)!)
  if (schema !== undefined && schema !== 'pg_catalog') draft.callsUnknown(`${schema}.${name}`)
  else if (name === 'set_config') {
    draft.touch(Touches.settings | Touches.reset)
    // It is kept in the shape if it is a literal.
    const parameter = /^\('([\w.]+)',/.exec(shape.slice(at, at + 200))?.[1]
    if (parameter === undefined) draft.unknownSettings = true
    else draft.setsParameter(parameter)
  } else if (functionEffects.has(name)) draft.calls(functionEffects.get(name)!)
  else if (!builtinFunctions.has(name)) {
    draft.callsUnknown(schema === undefined ? name : `${schema}.${name}`)
    if (runsSql.has(name)) draft.runsUnseen()
  }
}

/** Of the name, quoted or not, that ends at `end`; `end` itself if none does. */
function startOfName(shape: string, end: number): number {
  let start = end
  if (shape[end - 1] !== '"') {
    while (start > 0 && isPart(shape.charCodeAt(start - 1))) start--
    return start
  }
  start = end - 2
  while (start >= 0 && (shape[start] !== '"' || shape[start - 1] === '"'))
    start -= shape[start] === '"' ? 2 : 1
  return Math.max(start, 0)
}

const isPart = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x30 && code <= 0x39) ||
  code === 0x5f ||
  code === 0x24 ||
  code >= 0x80

const unquoted = (name: string): string =>
  name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name

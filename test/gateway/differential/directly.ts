/**
 * The same program, directly and through the gateway: the first half.
 *
 *     program ──directly──▶ what each client hears
 *                └─▶ script: the same turns, and where each client waited for what ──through──▶ what each client hears
 *
 * One after another PostgreSQL itself hears the turns, so that nothing of a script depends on the gateway. With a pool
 * of one a client that holds its session (a transaction, an open series, a pin) is ended in order before somebody else
 * has a turn, as its application would have to; what that takes becomes part of the script.
 */
import { Stuck } from './line.ts'
import type { Program, Turn } from './program.ts'
import { type Script, type Step, told } from './script.ts'
import { Speaker } from './speaker.ts'

export interface Answers {
  script: Script
  /** By client, a line per message. */
  heard: string[][]
}

export async function directly(program: Program, url: string): Promise<Answers> {
  const speakers = program.starts.map((start, client) => new Speaker(client, start, url))
  const script: Script = []
  const closeOthers = async (group: readonly Turn[]) => {
    for (const speaker of speakers) {
      if (group.some(turn => turn.client === speaker.client)) continue
      const steps = await speaker.close()
      if (steps.length > 0) script.push([steps])
    }
  }
  try {
    // A login may need a server connection, too.
    for (const speaker of speakers) script.push([await speaker.logIn()])
    for (const group of groups(program.turns)) {
      if (program.pool === 1) await closeOthers(group)
      const lanes: Step[][] = []
      for (const turn of group) {
        const speaker = speakers[turn.client]!
        const steps = speaker.mayReset(turn.says) ? await speaker.speak(turn.says) : []
        if (program.pool === 1 && group.length > 1) steps.push(...(await speaker.close()))
        lanes.push(steps)
      }
      if (lanes.some(({ length }) => length > 0)) script.push(lanes.filter(({ length }) => length > 0))
    }
    for (const speaker of speakers) script.push([await speaker.speak([{ say: 'Terminate' }])])
    for (const speaker of speakers)
      script.push([await speaker.speak([{ say: 'Query', sql: inspection }, { say: 'Terminate' }])])
  } catch (error) {
    if (error instanceof Stuck) error.message = `stuck directly, after\n${told(script)}\n${error.message}`
    throw error
  } finally {
    for (const speaker of speakers) speaker.line.destroy()
  }
  return { script, heard: speakers.map(({ line }) => line.heard.lines()) }
}

/** What whoever comes later finds on the connections. */
const inspection = `select current_user, session_user,
  exists (select from pg_class where relnamespace = pg_my_temp_schema()), (select array_agg(name) from pg_cursors),
  (select array_agg(name) from pg_prepared_statements), (select count(*) from pg_listening_channels()),
  (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
  (select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where setting <> boot_val)`

/** Turns that are taken at once: of different clients. */
function groups(turns: readonly Turn[]): Turn[][] {
  const all: Turn[][] = []
  for (const turn of turns) {
    const last = all.at(-1)
    if (last?.at(-1)?.meanwhile && !last.some(({ client }) => client === turn.client)) last.push(turn)
    else all.push([turn])
  }
  return all
}

/**
 * DDL, told by the stream: an event trigger puts what each command has touched through the WAL.
 *
 *     ALTER TABLE t … ──▶ ddl_command_end, sql_drop ──▶ pg_logical_emit_message(true, 'sluice', '[["ALTER TABLE",1259,16385]]')
 *
 * So a change of definitions comes in the order of commits and with its transaction, as changes of rows do. PostgreSQL
 * lets superusers make event triggers, and some providers their main role. Without it the catalogue is only looked at
 * again and again. What has no event (ALTER ROLE, membership, ALTER SYSTEM) is looked for in either case.
 * Source: PostgreSQL documentation, "Event Triggers" and "Event Trigger Functions".
 */
import type { SchemaObject } from './sink.ts'

export const schemaPrefix = 'sluice'

/**
 * Makes the event triggers, or makes them anew. Temporary objects concern no other session; objects
 * without a schema (schemas, casts, what is granted) are told. It runs as who made it, so that nobody needs rights;
 * ALWAYS, so that replicated commands are told as well. Its schema is not called sluice: a role may be, and would make its
 * tables there from then on, for "$user" comes first in search_path.
 */
export const ddlTriggerSql = `CREATE SCHEMA IF NOT EXISTS sluice_ddl;
CREATE OR REPLACE FUNCTION sluice_ddl.tell() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  objects json;
BEGIN
  IF tg_event = 'sql_drop' THEN
    SELECT json_agg(json_build_array(tg_tag, classid::bigint, objid::bigint)) INTO objects
      FROM pg_event_trigger_dropped_objects() WHERE NOT is_temporary;
  ELSE
    SELECT json_agg(json_build_array(command_tag, classid::bigint, objid::bigint)) INTO objects
      FROM pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp';
  END IF;
  IF objects IS NOT NULL THEN
    PERFORM pg_logical_emit_message(true, '${schemaPrefix}', objects::text);
  END IF;
END $$;
DROP EVENT TRIGGER IF EXISTS sluice_ddl;
CREATE EVENT TRIGGER sluice_ddl ON ddl_command_end EXECUTE FUNCTION sluice_ddl.tell();
ALTER EVENT TRIGGER sluice_ddl ENABLE ALWAYS;
DROP EVENT TRIGGER IF EXISTS sluice_drop;
CREATE EVENT TRIGGER sluice_drop ON sql_drop EXECUTE FUNCTION sluice_ddl.tell();
ALTER EVENT TRIGGER sluice_drop ENABLE ALWAYS;`

/** If they are there and at work, since when, as an SQL expression; else null. */
export const ddlToldSinceSql = `(SELECT string_agg(oid || ':' || xmin, ' ' ORDER BY oid) FROM pg_event_trigger
  WHERE (evtname, evtevent) IN (('sluice_ddl', 'ddl_command_end'), ('sluice_drop', 'sql_drop'))
    AND evtenabled = 'A' AND evttags IS NULL AND evtfoid = to_regproc('sluice_ddl.tell') HAVING count(*) = 2)`

/** What a message of theirs tells; null if it is none. */
export function readSchemaObjects(content: string): SchemaObject[] | null {
  try {
    const objects: unknown = JSON.parse(content)
    if (!Array.isArray(objects)) return null
    return objects.map(([tag, classId, objectId]: unknown[]) => {
      if (typeof tag !== 'string') throw new TypeError('a tag is a string')
      return { tag, classId: oid(classId), objectId: oid(objectId) }
    })
  } catch {
    // Anybody may put anything through the WAL.
    return null
  }
}

const oid = (value: unknown): number | null => (typeof value === 'number' ? value : null)

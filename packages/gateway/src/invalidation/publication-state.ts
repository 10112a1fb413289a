/**
 * Whether anything has changed that publication.ts judges by, for looks that are made each second: to examine a thousand
 * tables takes PostgreSQL 50 ms, and this 5.
 *
 * A row of a system catalogue that is changed gets another xmin. Of rows that are changed for other reasons too (ANALYZE,
 * TRUNCATE, CLUSTER), the columns that count are hashed instead.
 */
import { quoteLiteral } from '../sql/quote.ts'

const versions = (catalogue: string, identity = 'oid') =>
  `(SELECT (count(*), sum(hashint8extended(xmin::text::bigint, ${identity}::bigint)))::text FROM ${catalogue})`

/** As an SQL expression. */
export const publicationStateSql = (publication: string): string => `concat_ws(' ',
    ${versions('pg_publication')}, ${versions('pg_publication_rel')}, ${versions('pg_event_trigger')},
    ${versions('pg_inherits', 'inhrelid')},
    (SELECT (count(*), sum(hashint8extended(t.relid::bigint, 0)))::text FROM pg_publication p,
      LATERAL pg_get_publication_tables(p.pubname::text) t WHERE p.pubname = ${quoteLiteral(publication)}),
    (SELECT (count(*), sum(hashint8extended(indexrelid::bigint, indisvalid::int + 2 * indisreplident::int)))::text
      FROM pg_index WHERE indisprimary OR indisreplident),
    (SELECT (count(*), sum(hashtextextended(concat_ws(' ', relname, relnamespace, relkind, relnatts, relpersistence,
      relreplident), oid::bigint)))::text
      FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'f') AND relpersistence <> 't' AND oid >= 16384))`

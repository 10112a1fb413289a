/**
 * PostgreSQL's own functions that are marked stable and whose answers are kept all the same: for the same arguments they
 * say the same, as long as the catalogue and the parameters in the key stay what they are. (PostgreSQL 18's pg_proc.)
 *
 * All other stable ones tell of the time (now, age of one argument), the session (current_user, pg_backend_pid), the
 * server, or read catalogues that no fingerprint covers (obj_description, has_table_privilege).
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** TimeZone, DateStyle, lc_time, lc_monetary, default_text_search_config, client_encoding … decide, and the arguments. */
export const decidedByKey: ReadonlySet<string> = words(`
  convert convert_from convert_to date date_add date_part date_subtract date_trunc enum_first enum_last enum_range extract
  generate_series in_range interval_pl_timestamptz length make_timestamptz money numeric overlaps time timestamp
  timestamptz timestamptz_mi_interval timestamptz_pl_interval timezone to_char to_date to_number to_timestamp
  json_to_tsvector jsonb_to_tsvector phraseto_tsquery plainto_tsquery to_tsquery to_tsvector ts_headline ts_match_tq
  ts_match_tt websearch_to_tsquery
  jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz
  xml xml_is_well_formed`)

/** `date_lt_timestamptz` and its kin. */
export const comparesTimes =
  /^(?:date|timestamp|timestamptz)_(?:cmp|eq|ge|gt|le|lt|ne)_(?:date|timestamp|timestamptz)$/

/** They print their arguments: what they say depends on how each of these is printed. */
export const prints: ReadonlySet<string> = words(`
  anytextcat textanycat array_to_string concat concat_ws format quote_literal quote_nullable
  array_to_json json_agg json_agg_strict json_agg_strict_transfn json_agg_transfn json_build_array json_build_object
  json_object_agg json_object_agg_strict json_object_agg_strict_transfn json_object_agg_transfn json_object_agg_unique
  json_object_agg_unique_strict json_object_agg_unique_strict_transfn json_object_agg_unique_transfn
  jsonb_agg jsonb_agg_finalfn jsonb_agg_strict jsonb_agg_strict_transfn jsonb_agg_transfn jsonb_build_array
  jsonb_build_object jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict
  jsonb_object_agg_finalfn jsonb_object_agg_strict_transfn jsonb_object_agg_transfn
  jsonb_object_agg_unique_strict_transfn jsonb_object_agg_unique_transfn row_to_json to_json to_jsonb`)

/** They read what JSON holds as the types of their result. */
export const readsJson: ReadonlySet<string> = words(`
  json_populate_record json_populate_recordset json_to_record json_to_recordset jsonb_populate_record
  jsonb_populate_recordset jsonb_to_record jsonb_to_recordset`)

/** In policies and views: role, session user and database are in the key. */
export const tellsOfKey: ReadonlySet<string> = words(
  'current_user session_user current_database getpgusername',
)

/** Of types: they read a text as the parameters in the key, or the catalogue, say. */
export const plainInputs: ReadonlySet<string> = words(
  'interval_in cash_in xml_in regconfigin regdictionaryin',
)
/** 'now', 'today', 'tomorrow' and 'yesterday' are values of these. */
export const timeInputs: ReadonlySet<string> = words('date_in time_in timestamp_in timestamptz_in')

export const plainOutputs: ReadonlySet<string> = words(
  'date_out timestamp_out timestamptz_out timetz_out interval_out cash_out',
)

/** A value of a date's or time's type that holds such a word anywhere, for it may be in an array, a range or a row. */
export const tellsTime = (text: string): boolean => /now|today|tomorrow|yesterday/i.test(text)

/** Types that the rules of resolution name: fixed since ever, in PostgreSQL's pg_type.dat. */
export const bool = 16
export const int8 = 20
export const int2 = 21
export const int4 = 23
export const text = 25
export const oid = 26
export const json = 114
export const xml = 142
export const float8 = 701
/** Of a literal, or a parameter, that has not been read as anything yet. */
export const unknown = 705
export const bpchar = 1042
export const varchar = 1043
export const timetz = 1266
export const bit = 1560
export const numeric = 1700
export const record = 2249
export const any = 2276
export const recordArray = 2287
export const uuid = 2950
export const jsonb = 3802

export const anyArray = 2277
export const anyElement = 2283
export const anyNonArray = 2776
export const anyEnum = 3500
export const anyRange = 3831
export const anyMultirange = 4537
export const anyCompatibleMultirange = 4538
export const anyCompatible = 5077
export const anyCompatibleArray = 5078
export const anyCompatibleNonArray = 5079
export const anyCompatibleRange = 5080

/** Vectors are arrays of their own kind: no array is coerced to them. */
export const int2vector = 22
export const oidvector = 30

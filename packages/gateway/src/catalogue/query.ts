/** One or several statements in, the rows of all of them out, as text. */
export type Query = (sql: string) => Promise<(string | null)[][]>
export type Row = readonly (string | null)[]

/** A string as SQL, whatever standard_conforming_strings says on the connection. */
export const quoteLiteral = (text: string): string =>
  text.includes('\\')
    ? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

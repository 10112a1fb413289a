/** Why a file can't be read, in words; the system's code where nobody has found any. */
export const unreadable = ({ code = '', message }: NodeJS.ErrnoException): string =>
  causes[code] ?? (code || message)

const causes: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not read it',
}

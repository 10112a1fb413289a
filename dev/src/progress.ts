/** How far filling the database is: a bar that redraws itself on a terminal, two plain lines where it can't. */
import type { WriteStream } from 'node:tty'

const WIDTH = 30

export function progressBar(what: string, out: Pick<WriteStream, 'write'> & { isTTY?: boolean }) {
  let drawn = ''
  return (done: number, total: number): void => {
    const part = total > 0 ? Math.min(done / total, 1) : 1
    const filled = Math.round(part * WIDTH)
    const bar = `  ${what} ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${`${Math.floor(part * 100)}`.padStart(3)} %`
    const over = part === 1
    if (out.isTTY) {
      if (bar !== drawn) out.write(`\r${bar}${over ? '\n' : ''}`)
    } else if (drawn === '') {
      out.write(`  ${what} …\n`)
    } else if (over && bar !== drawn) {
      out.write(`  ${what}: done\n`)
    }
    drawn = bar
  }
}

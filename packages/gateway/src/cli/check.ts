/** `sluice check`: reads the configuration, asks each origin, and says what is wrong and how to mend it. */
import { type Checked, check, type Verdict } from '../check/index.ts'
import { ConfigError, readConfig } from '../config/index.ts'
import { flagsUsage, readGatewayFlags } from './gateway-flags.ts'
import { clockHere, transportHere } from './runtime.ts'
import { UsageError } from './usage-error.ts'

const usage = `sluice check [options]

  Reads the configuration and connects to each origin, as the gateway would;
  says what is wrong, and how to mend it. A running gateway is not disturbed.

${flagsUsage}

  --json                one JSON document on stdout

Exit code: 0 the gateway can serve; 1 something is wrong; 2 wrong usage.`

/** Gives the exit code. */
export async function runCheck(words: readonly string[]): Promise<number> {
  const json = words.includes('--json')
  try {
    const invocation = readGatewayFlags(words, process.env, ['json'])
    if (invocation.wants === 'help') {
      console.log(usage)
      return 0
    }
    const { origins, file } = await readConfig(invocation.flags, process.env)
    const checked = await check(origins, { transport: await transportHere(), clock: clockHere })
    const exitCode = checked.some(({ lines }) => lines.some(each => each.verdict === 'wrong')) ? 1 : 0
    console.log(
      json
        ? JSON.stringify({ version: 1, exitCode, config: file, origins: checked }, null, 2)
        : textOf(checked, file),
    )
    return exitCode
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof UsageError)) throw error
    const exitCode = error instanceof UsageError ? 2 : 1
    if (json) console.log(JSON.stringify({ version: 1, exitCode, error: error.message }, null, 2))
    else console.error(`sluice check: ${error.message}${exitCode === 2 ? '. --help tells the options.' : ''}`)
    return exitCode
  }
}

const marks: Record<Verdict, string> = {
  ok: '  ok       ',
  advice: '  advice   ',
  warning: '  warning  ',
  wrong: '  WRONG    ',
}
const indent = ' '.repeat(marks.ok.length)

function textOf(checked: readonly Checked[], file: string | null): string {
  const all = checked.flatMap(({ lines }) => lines)
  const count = (verdict: Verdict) => all.filter(each => each.verdict === verdict).length
  const origins = checked.map(({ origin, lines }) =>
    [
      origin,
      ...lines.flatMap(({ verdict, what, cure, sql }) => [
        `${marks[verdict]}${what}`,
        ...(cure === undefined ? [] : [`${indent}${cure}`]),
        ...(sql === undefined ? [] : sql.split('\n').map(each => `${indent}  ${each}`)),
      ]),
    ].join('\n'),
  )
  const [wrong, warnings] = [count('wrong'), count('warning')]
  const end =
    wrong > 0
      ? `${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong.`
      : warnings > 0
        ? `The gateway can serve; ${warnings} ${warnings === 1 ? 'thing is' : 'things are'} worth a look.`
        : 'The gateway can serve.'
  return [...(file ? [`${file} can be read.`] : []), ...origins, end].join('\n\n')
}

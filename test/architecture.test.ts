import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Which parts a part may import, besides itself: the arrows of ARCHITECTURE.md. Tests may import anything. */
const arrows: Record<string, readonly string[]> = {
  'packages/wire': [],
  'packages/edge': ['packages/wire'],
  // Knows an application by HTTP only.
  'packages/gateway/src/monitor': [],
  'packages/gateway/src/transport': [],
  'packages/gateway/src/catalogue': [],
  'packages/gateway/src/sql': ['packages/wire', 'packages/gateway/src/catalogue'],
  'packages/gateway/src/exchange': ['packages/wire'],
  'packages/gateway/src/cache': ['packages/wire'],
  'packages/gateway/src/origin': [
    'packages/wire',
    'packages/gateway/src/exchange',
    'packages/gateway/src/sql',
    'packages/gateway/src/transport',
  ],
  'packages/gateway/src/invalidation': [
    'packages/wire',
    'packages/gateway/src/origin',
    'packages/gateway/src/sql',
    'packages/gateway/src/transport',
  ],
  'packages/gateway/src/session': [
    'packages/wire',
    'packages/gateway/src/cache',
    'packages/gateway/src/catalogue',
    'packages/gateway/src/exchange',
    'packages/gateway/src/origin',
    'packages/gateway/src/sql',
    'packages/gateway/src/transport',
  ],
  'packages/gateway/src/front': [
    'packages/wire',
    'packages/gateway/src/origin',
    'packages/gateway/src/session',
    'packages/gateway/src/transport',
  ],
  'packages/gateway': ['packages/wire'],
  'examples/worker': ['packages/edge'],
  dev: ['examples/worker', 'packages/gateway'],
}

/** Inside the library: who stands on whom. A file that is not named stands on no floor: it is left out. */
const edgeFloors: readonly (readonly string[])[] = [
  [
    'packages/edge/src/values',
    'packages/edge/src/url.ts',
    'packages/edge/src/breaker.ts',
    'packages/edge/src/latency.ts',
    'packages/edge/src/leases.ts',
  ],
  ['packages/edge/src/socket'],
  ['packages/edge/src/drivers'],
  [
    'packages/edge/src/connection.ts',
    'packages/edge/src/route.ts',
    'packages/edge/src/pool.ts',
    'packages/edge/src/scope',
  ],
  ['packages/edge/src/executor.ts', 'packages/edge/src/transaction.ts', 'packages/edge/src/best.ts'],
  ['packages/edge/src/sql.ts', 'packages/edge/src/drizzle.ts'],
  ['packages/edge/src/manager.ts'],
  ['packages/edge/src/health', 'packages/edge/src/hono.ts'],
]

const packageFolders: Record<string, string> = {
  '@sluice/wire': 'packages/wire',
  '@sluice/edge': 'packages/edge',
  sluice: 'packages/gateway',
  '@sluice/dev': 'dev',
  'sluice-example-worker': 'examples/worker',
}

interface Import {
  from: string
  to: string
}

function imports(): Import[] {
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.ts'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter(
      file =>
        /^(packages|examples|dev)\//.test(file) && !file.endsWith('.test.ts') && !file.includes('/test/'),
    )
  return files.flatMap(file => {
    const text = readFileSync(join(root, file), 'utf8')
    return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].flatMap(([, name]) => {
      const to = resolved(file, name!)
      return to === undefined ? [] : [{ from: file, to }]
    })
  })
}

function resolved(file: string, name: string): string | undefined {
  if (name.startsWith('.')) return relative(root, join(root, dirname(file), name))
  const owner = Object.keys(packageFolders).find(known => name === known || name.startsWith(`${known}/`))
  return owner && packageFolders[owner]
}

const within = (file: string, part: string) => file === part || file.startsWith(`${part}/`)

test('parts import only what their arrows allow', () => {
  const wrong = imports().filter(({ from, to }) => {
    const part = Object.keys(arrows).find(name => within(from, name))
    return part !== undefined && !within(to, part) && !arrows[part]!.some(allowed => within(to, allowed))
  })
  expect(wrong).toEqual([])
})

test('in the library, no floor imports one above it', () => {
  const floorOf = (file: string) => edgeFloors.findIndex(floor => floor.some(part => within(file, part)))
  const wrong = imports().filter(({ from, to }) => {
    const [low, high] = [floorOf(from), floorOf(to)]
    return low >= 0 && high > low
  })
  expect(wrong).toEqual([])
})

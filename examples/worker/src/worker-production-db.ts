/**
 * The Worker: a pitch platform's API on PostgreSQL.
 *
 *     request ──▶ databaseManager() ──▶ a route ──▶ connection(env) / database(env) ──▶ PostgreSQL
 *                 one connection a           │
 *                 route for all of it        └─ throws ──▶ onError: the right status, plain words
 *
 * Each route reads its input (http/input.ts), asks one or two statements, and answers in one envelope
 * (http/answer.ts). Rules that two clicks or fifty investors could break are the database's (data/schema.sql).
 */
import { databaseManager, healthRoutes } from '@sluice/edge/hono'
import { Hono } from 'hono'
import { type Bindings, preferredRoute } from './db/connection-manager.ts'
import { answer, Refusal, refuse } from './http/answer.ts'
import { onError } from './http/failure.ts'
import { analytics } from './routes/analytics.ts'
import { dashboards } from './routes/dashboards.ts'
import { investing } from './routes/investing.ts'
import { marks } from './routes/marks.ts'
import { pitches } from './routes/pitches.ts'
import { search } from './routes/search.ts'

const app = new Hono<{ Bindings: Bindings }>()

app.use(databaseManager())
app.onError(onError)
app.notFound(c =>
  refuse(c, new Refusal(404, `there is no ${c.req.method} ${c.req.path}; GET / lists what there is`)),
)

app.get('/', c =>
  answer(c, {
    name: 'A pitch platform on @sluice/edge',
    preferredRoute: preferredRoute(c.env),
    try: [
      '/api/pitches?format=Film',
      '/api/pitches/trending',
      '/api/pitches/1',
      '/api/search?q=lighthouse',
      '/api/creator/dashboard?userId=1',
      '/api/investor/dashboard?userId=2',
      '/api/health/database-performance',
    ],
  }),
)

app.route('/', healthRoutes())
app.route('/api', pitches)
app.route('/api', search)
app.route('/api', dashboards)
app.route('/api', marks)
app.route('/api', investing)
app.route('/api', analytics)

export default { fetch: app.fetch }

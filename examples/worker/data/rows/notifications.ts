/** What the platform tells its users, of each thing that happened to theirs. */
import type { Random } from '../random.ts'
import { day, end, inOrder, instant, type Row } from './history.ts'
import type { Person } from './users.ts'

export interface Notice {
  to: Person
  type: string
  title: string
  message: string
  relatedId: number
  relatedType: string
  data: Row
  at: number
}

export const notificationRows = (random: Random, notices: Notice[]): Row[] =>
  inOrder(notices).map(({ to, at, type, title, message, relatedId, relatedType, data }, index) => ({
    id: index + 1,
    user_id: to.id,
    type,
    title,
    message,
    related_id: relatedId,
    related_type: relatedType,
    data,
    is_read: random.chance(end - at > 30 * day ? 0.95 : 0.4),
    created_at: instant(at),
  }))

/** Who is on the platform. The first four are a creator, an investor, a producer and a viewer. */
import type { Random } from '../random.ts'
import { companyNames, firstNames, fundKinds, lastNames, productionKinds } from '../words.ts'
import { after, end, instant, type Row, start } from './history.ts'
import { genres } from './pitches.ts'

const userCount = 1_200

const plain = (name: string) =>
  name
    .normalize('NFD')
    .replace(/[^a-zA-Z]/g, '')
    .toLowerCase()

export interface Person {
  id: number
  type: 'creator' | 'investor' | 'production' | 'viewer'
  name: string
  joined: number
}

export function makeUsers(random: Random): { people: Person[]; rows: Row[] } {
  const people: Person[] = []
  const rows: Row[] = []
  const taken = new Map<string, number>()
  const first: Person['type'][] = ['creator', 'investor', 'production', 'viewer']
  for (let id = 1; id <= userCount; id += 1) {
    const type = first[id - 1] ?? random.byShare({ creator: 45, investor: 30, production: 10, viewer: 15 })
    const [firstName, lastName] = [random.pick(firstNames), random.pick(lastNames)]
    const base = `${plain(firstName)}.${plain(lastName)}`
    const namesakes = taken.get(base) ?? 0
    taken.set(base, namesakes + 1)
    const username = namesakes === 0 ? base : `${base}${namesakes + 1}`
    const joined = id <= first.length ? start : start + (end - start) * random.fraction() * 0.9
    const company =
      type === 'production' || (type === 'creator' && random.chance(0.35))
        ? `${random.pick(companyNames)} ${random.pick(productionKinds)}`
        : type === 'investor' && random.chance(0.6)
          ? `${random.pick(companyNames)} ${random.pick(fundKinds)}`
          : null
    people.push({ id, type, name: `${firstName} ${lastName}`, joined })
    rows.push({
      id,
      email: `${username}@example.com`,
      username,
      // No password has this hash: nobody can log in as an example.
      password_hash: '!',
      user_type: type,
      first_name: firstName,
      last_name: lastName,
      company_name: company,
      profile_image_url: random.chance(0.7)
        ? `https://images.example.com/people/${random.uuid()}.webp`
        : null,
      company_verified: company !== null && random.chance(0.6),
      is_active: id <= first.length || random.chance(0.97),
      subscription_tier: random.byShare({ free: 70, pro: 22, studio: 8 }),
      preferred_genres: random.some(genres, random.between(type === 'viewer' ? 0 : 1, 4)),
      last_login_ip: address(random),
      created_at: instant(joined),
      updated_at: instant(after(random, joined)),
    })
  }
  return { people, rows }
}

/** From the blocks that RFC 5737 and RFC 3849 keep for documentation. */
export function address(random: Random): string {
  if (random.chance(0.25))
    return `2001:db8:${random.between(1, 4095).toString(16)}::${random.between(1, 65_535).toString(16)}`
  return `${random.pick(['192.0.2', '198.51.100', '203.0.113'])}.${random.between(1, 254)}`
}

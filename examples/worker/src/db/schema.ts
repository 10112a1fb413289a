/**
 * The tables as Drizzle sees them. data/schema.sql makes them and says why they are so; a test compares the two.
 *
 * numeric stays a string from the database to the answer: money never passes through a float.
 */
import { relations, sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  customType,
  date,
  index,
  inet,
  integer,
  jsonb,
  numeric,
  pgEnum,
  pgTable,
  primaryKey,
  serial,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'

export const userTypes = ['creator', 'investor', 'production', 'viewer'] as const
export const genres = [
  'Comedy',
  'Crime',
  'Documentary',
  'Drama',
  'Fantasy',
  'Historical',
  'Horror',
  'Romance',
  'Science Fiction',
  'Thriller',
] as const
export const formats = [
  'Film',
  'Television - Scripted',
  'Television - Unscripted',
  'Limited Series',
  'Short Film',
  'Web Series',
] as const
export const pitchStatuses = ['draft', 'published', 'archived'] as const
export const visibilities = ['public', 'nda', 'private'] as const
export const stages = ['concept', 'development', 'pre-production', 'production', 'post-production'] as const
export const investmentStatuses = ['pending', 'confirmed', 'withdrawn'] as const
export const interestLevels = ['curious', 'moderate', 'serious'] as const
export const ndaStatuses = ['pending', 'approved', 'declined', 'expired'] as const
export const viewTypes = ['page', 'read', 'trailer', 'deck', 'share'] as const

export type Genre = (typeof genres)[number]
export type Format = (typeof formats)[number]
export type Stage = (typeof stages)[number]

export const userType = pgEnum('user_type', userTypes)
export const genre = pgEnum('genre', genres)
export const pitchFormat = pgEnum('pitch_format', formats)
export const pitchStatus = pgEnum('pitch_status', pitchStatuses)
export const pitchVisibility = pgEnum('pitch_visibility', visibilities)
export const productionStage = pgEnum('production_stage', stages)
export const investmentStatus = pgEnum('investment_status', investmentStatuses)
export const interestLevel = pgEnum('interest_level', interestLevels)
export const ndaStatus = pgEnum('nda_status', ndaStatuses)
export const viewType = pgEnum('view_type', viewTypes)

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' })
const instant = (name: string) => timestamp(name, { withTimezone: true })
const money = (name: string) => numeric(name, { precision: 15, scale: 2 })

export const users = pgTable(
  'users',
  {
    id: serial('id').primaryKey(),
    email: varchar('email', { length: 254 }).notNull(),
    username: varchar('username', { length: 40 }).notNull().unique('users_username_key'),
    passwordHash: text('password_hash').notNull(),
    userType: userType('user_type').notNull(),
    firstName: varchar('first_name', { length: 60 }).notNull(),
    lastName: varchar('last_name', { length: 60 }).notNull(),
    companyName: varchar('company_name', { length: 120 }),
    profileImageUrl: text('profile_image_url'),
    companyVerified: boolean('company_verified').notNull().default(false),
    isActive: boolean('is_active').notNull().default(true),
    subscriptionTier: varchar('subscription_tier', { length: 20 }).notNull().default('free'),
    preferredGenres: varchar('preferred_genres', { length: 40 }).array().notNull().default([]),
    lastLoginIp: inet('last_login_ip'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  user => [uniqueIndex('users_email_key').on(sql`lower(${user.email})`)],
)

export interface Media {
  kind: string
  url: string
}

export const pitches = pgTable(
  'pitches',
  {
    id: serial('id').primaryKey(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    title: varchar('title', { length: 200 }).notNull(),
    logline: varchar('logline', { length: 500 }).notNull(),
    description: text('description'),
    genre: genre('genre').notNull(),
    format: pitchFormat('format').notNull(),
    shortSynopsis: text('short_synopsis'),
    longSynopsis: text('long_synopsis'),
    budgetRange: varchar('budget_range', { length: 40 }),
    estimatedBudget: money('estimated_budget'),
    productionStage: productionStage('production_stage').notNull().default('concept'),
    visibility: pitchVisibility('visibility').notNull().default('public'),
    status: pitchStatus('status').notNull().default('draft'),
    viewCount: integer('view_count').notNull().default(0),
    likeCount: integer('like_count').notNull().default(0),
    ndaCount: integer('nda_count').notNull().default(0),
    requireNda: boolean('require_nda').notNull().default(false),
    seekingInvestment: boolean('seeking_investment').notNull().default(false),
    fundingGoal: money('funding_goal'),
    remainingAmount: money('remaining_amount'),
    minimumInvestment: money('minimum_investment'),
    tags: varchar('tags', { length: 40 }).array().notNull().default([]),
    visibilitySettings: jsonb('visibility_settings').$type<Record<string, boolean>>().notNull().default({}),
    additionalMedia: jsonb('additional_media').$type<Media[]>().notNull().default([]),
    metadata: jsonb('metadata').$type<Record<string, unknown>>().notNull().default({}),
    shootingStarts: timestamp('shooting_starts'),
    publishedAt: instant('published_at'),
    idempotencyKey: uuid('idempotency_key'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
    search: tsvector('search')
      .notNull()
      .generatedAlwaysAs(
        sql`setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', logline), 'B') || setweight(to_tsvector('english', coalesce(short_synopsis, '')), 'C')`,
      ),
  },
  pitch => {
    const listed = sql`status = 'published' and visibility <> 'private'`
    return [
      check('pitches_estimated_budget_check', sql`estimated_budget > 0`),
      check('pitches_counts_check', sql`view_count >= 0 and like_count >= 0 and nda_count >= 0`),
      check('pitches_published_check', sql`status <> 'published' or published_at is not null`),
      check(
        'pitches_funding_check',
        sql`num_nonnulls(funding_goal, remaining_amount, minimum_investment) in (0, 3) and (funding_goal is not null or not seeking_investment) and funding_goal > 0 and minimum_investment > 0 and minimum_investment <= funding_goal and remaining_amount between 0 and funding_goal`,
      ),
      index('pitches_published_idx').on(pitch.publishedAt.desc(), pitch.id.desc()).where(listed),
      index('pitches_format_idx').on(pitch.format, pitch.publishedAt.desc(), pitch.id.desc()).where(listed),
      index('pitches_genre_idx').on(pitch.genre, pitch.estimatedBudget).where(listed),
      index('pitches_seeking_idx').on(pitch.publishedAt.desc()).where(sql`seeking_investment`),
      index('pitches_user_idx').on(pitch.userId, pitch.createdAt.desc()),
      index('pitches_search_idx').using('gin', pitch.search),
      uniqueIndex('pitches_idempotency_key')
        .on(pitch.userId, pitch.idempotencyKey)
        .where(sql`idempotency_key is not null`),
    ]
  },
)

export interface Document {
  name: string
  url: string
}

export const investments = pgTable(
  'investments',
  {
    id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
    investorId: integer('investor_id')
      .notNull()
      .references(() => users.id, { onDelete: 'restrict' }),
    pitchId: integer('pitch_id')
      .notNull()
      .references(() => pitches.id, { onDelete: 'restrict' }),
    amount: money('amount').notNull(),
    status: investmentStatus('status').notNull().default('pending'),
    terms: text('terms'),
    currentValue: money('current_value'),
    documents: jsonb('documents').$type<Document[]>().notNull().default([]),
    roiPercentage: numeric('roi_percentage', { precision: 7, scale: 2 }),
    idempotencyKey: uuid('idempotency_key').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  investment => [
    unique('investments_idempotency_key').on(investment.investorId, investment.idempotencyKey),
    check('investments_amount_check', sql`amount > 0`),
    index('investments_investor_idx').on(investment.investorId, investment.createdAt.desc()),
    index('investments_pitch_idx').on(investment.pitchId, investment.createdAt.desc()),
  ],
)

export const investmentInterests = pgTable(
  'investment_interests',
  {
    id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
    investorId: integer('investor_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    pitchId: integer('pitch_id')
      .notNull()
      .references(() => pitches.id, { onDelete: 'cascade' }),
    amount: money('amount'),
    interestLevel: interestLevel('interest_level').notNull().default('moderate'),
    notes: text('notes'),
    status: varchar('status', { length: 20 }).notNull().default('active'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  interest => [
    unique('investment_interests_once_key').on(interest.investorId, interest.pitchId),
    check('investment_interests_amount_check', sql`amount > 0`),
    index('investment_interests_pitch_idx').on(interest.pitchId, interest.createdAt.desc()),
  ],
)

export const pitchViews = pgTable(
  'pitch_views',
  {
    id: bigint('id', { mode: 'bigint' }).primaryKey().generatedByDefaultAsIdentity(),
    pitchId: integer('pitch_id')
      .notNull()
      .references(() => pitches.id, { onDelete: 'cascade' }),
    viewerId: integer('viewer_id').references(() => users.id, { onDelete: 'set null' }),
    ipAddress: inet('ip_address'),
    viewType: viewType('view_type').notNull().default('page'),
    referrer: text('referrer'),
    sessionId: uuid('session_id'),
    viewDuration: integer('view_duration'),
    scrollDepth: smallint('scroll_depth'),
    viewedAt: instant('viewed_at').notNull().defaultNow(),
  },
  view => [
    check('pitch_views_duration_check', sql`view_duration >= 0`),
    check('pitch_views_depth_check', sql`scroll_depth between 0 and 100`),
    index('pitch_views_pitch_idx').on(view.pitchId, view.viewedAt.desc()),
    index('pitch_views_viewer_idx').on(view.viewerId, view.viewedAt.desc()).where(sql`viewer_id is not null`),
    uniqueIndex('pitch_views_report_key')
      .on(view.sessionId, view.pitchId, view.viewType)
      .where(sql`view_type <> 'page' and session_id is not null`),
  ],
)

export const ndas = pgTable(
  'ndas',
  {
    id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
    pitchId: integer('pitch_id')
      .notNull()
      .references(() => pitches.id, { onDelete: 'cascade' }),
    signerId: integer('signer_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    status: ndaStatus('status').notNull().default('pending'),
    ndaType: varchar('nda_type', { length: 20 }).notNull().default('standard'),
    accessGranted: boolean('access_granted').notNull().default(false),
    signedAt: instant('signed_at'),
    expiresAt: date('expires_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  nda => [
    unique('ndas_once_key').on(nda.pitchId, nda.signerId),
    check('ndas_access_check', sql`not access_granted or (status = 'approved' and signed_at is not null)`),
    index('ndas_signer_idx').on(nda.signerId, nda.status),
  ],
)

export const ndaRequests = pgTable(
  'nda_requests',
  {
    id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
    pitchId: integer('pitch_id')
      .notNull()
      .references(() => pitches.id, { onDelete: 'cascade' }),
    requesterId: integer('requester_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    ownerId: integer('owner_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    status: ndaStatus('status').notNull().default('pending'),
    message: text('message'),
    requestedAt: instant('requested_at').notNull().defaultNow(),
    respondedAt: instant('responded_at'),
  },
  request => [
    check('nda_requests_responded_check', sql`(status = 'pending') = (responded_at is null)`),
    uniqueIndex('nda_requests_pending_key')
      .on(request.pitchId, request.requesterId)
      .where(sql`status = 'pending'`),
    index('nda_requests_inbox_idx').on(request.ownerId, request.status, request.requestedAt.desc()),
    index('nda_requests_requester_idx').on(request.requesterId),
  ],
)

export const follows = pgTable(
  'follows',
  {
    id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
    followerId: integer('follower_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    followingId: integer('following_id').references(() => users.id, { onDelete: 'cascade' }),
    pitchId: integer('pitch_id').references(() => pitches.id, { onDelete: 'cascade' }),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  follow => [
    check('follows_target_check', sql`num_nonnulls(following_id, pitch_id) = 1`),
    check('follows_self_check', sql`follower_id <> following_id`),
    uniqueIndex('follows_user_key')
      .on(follow.followingId, follow.followerId)
      .where(sql`following_id is not null`),
    uniqueIndex('follows_pitch_key').on(follow.pitchId, follow.followerId).where(sql`pitch_id is not null`),
    index('follows_follower_idx').on(follow.followerId, follow.createdAt.desc()),
  ],
)

export const savedPitches = pgTable(
  'saved_pitches',
  {
    userId: integer('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    pitchId: integer('pitch_id')
      .notNull()
      .references(() => pitches.id, { onDelete: 'cascade' }),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  saved => [
    primaryKey({ name: 'saved_pitches_pkey', columns: [saved.userId, saved.pitchId] }),
    index('saved_pitches_pitch_idx').on(saved.pitchId),
  ],
)

export const notifications = pgTable(
  'notifications',
  {
    id: bigint('id', { mode: 'bigint' }).primaryKey().generatedByDefaultAsIdentity(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    type: varchar('type', { length: 40 }).notNull(),
    title: varchar('title', { length: 200 }).notNull(),
    message: text('message').notNull(),
    relatedId: integer('related_id'),
    relatedType: varchar('related_type', { length: 40 }),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
    isRead: boolean('is_read').notNull().default(false),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  notification => [
    index('notifications_user_idx').on(notification.userId, notification.createdAt.desc()),
    index('notifications_unread_idx').on(notification.userId).where(sql`not is_read`),
  ],
)

export const pitchRelations = relations(pitches, ({ one }) => ({
  creator: one(users, { fields: [pitches.userId], references: [users.id] }),
}))

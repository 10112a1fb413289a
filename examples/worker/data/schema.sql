-- The pitch platform's tables: who pitches, who looks, who invests.
--
-- src/db/schema.ts says the same to Drizzle; schema.test.ts holds the two together.
--
-- Rules that a page's second click, or fifty investors at once, must not be able to break stand here as
-- constraints, not in the Worker: one interest and one saved mark per user and pitch, one investment per
-- idempotency key, and never more sold than was offered (remaining_amount >= 0).
--
-- users and pitches keep the serial they were born with; tables that came later have identity columns.

create type user_type as enum ('creator', 'investor', 'production', 'viewer');
create type genre as enum (
  'Comedy', 'Crime', 'Documentary', 'Drama', 'Fantasy', 'Historical', 'Horror', 'Romance', 'Science Fiction', 'Thriller'
);
create type pitch_format as enum (
  'Film', 'Television - Scripted', 'Television - Unscripted', 'Limited Series', 'Short Film', 'Web Series'
);
create type pitch_status as enum ('draft', 'published', 'archived');
create type pitch_visibility as enum ('public', 'nda', 'private');
create type production_stage as enum ('concept', 'development', 'pre-production', 'production', 'post-production');
create type investment_status as enum ('pending', 'confirmed', 'withdrawn');
create type interest_level as enum ('curious', 'moderate', 'serious');
create type nda_status as enum ('pending', 'approved', 'declined', 'expired');
create type view_type as enum ('page', 'read', 'trailer', 'deck', 'share');

create table users (
  id serial primary key,
  email varchar(254) not null,
  username varchar(40) not null constraint users_username_key unique,
  password_hash text not null,
  user_type user_type not null,
  first_name varchar(60) not null,
  last_name varchar(60) not null,
  company_name varchar(120),
  profile_image_url text,
  company_verified boolean not null default false,
  is_active boolean not null default true,
  subscription_tier varchar(20) not null default 'free',
  preferred_genres varchar(40)[] not null default '{}',
  last_login_ip inet,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- Addresses differ in case from one form to the next; they are the same mailbox.
create unique index users_email_key on users (lower(email));

create table pitches (
  id serial primary key,
  user_id integer not null constraint pitches_user_fk references users on delete cascade,
  title varchar(200) not null,
  logline varchar(500) not null,
  description text,
  genre genre not null,
  format pitch_format not null,
  short_synopsis text,
  long_synopsis text,
  budget_range varchar(40),
  estimated_budget numeric(15, 2),
  production_stage production_stage not null default 'concept',
  visibility pitch_visibility not null default 'public',
  status pitch_status not null default 'draft',
  view_count integer not null default 0,
  like_count integer not null default 0,
  nda_count integer not null default 0,
  require_nda boolean not null default false,
  seeking_investment boolean not null default false,
  funding_goal numeric(15, 2),
  remaining_amount numeric(15, 2),
  minimum_investment numeric(15, 2),
  tags varchar(40)[] not null default '{}',
  visibility_settings jsonb not null default '{}',
  additional_media jsonb not null default '[]',
  metadata jsonb not null default '{}',
  -- A call time reads by the clock on the wall at the location: no zone.
  shooting_starts timestamp,
  published_at timestamptz,
  idempotency_key uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  search tsvector not null generated always as (
    setweight(to_tsvector('english', title), 'A')
    || setweight(to_tsvector('english', logline), 'B')
    || setweight(to_tsvector('english', coalesce(short_synopsis, '')), 'C')
  ) stored,
  constraint pitches_estimated_budget_check check (estimated_budget > 0),
  constraint pitches_counts_check check (view_count >= 0 and like_count >= 0 and nda_count >= 0),
  constraint pitches_published_check check (status <> 'published' or published_at is not null),
  -- Not oversold: what is left lies between nothing and the goal. All three amounts, or none.
  constraint pitches_funding_check check (
    num_nonnulls(funding_goal, remaining_amount, minimum_investment) in (0, 3)
    and (funding_goal is not null or not seeking_investment)
    and funding_goal > 0
    and minimum_investment > 0
    and minimum_investment <= funding_goal
    and remaining_amount between 0 and funding_goal
  )
)
-- Each view updates a counter. With room in the page, and no index on a counter, that update stays in the
-- page and touches no index ("Heap-Only Tuples"); sorting the published pitches by it costs less.
with (fillfactor = 80);
create index pitches_published_idx on pitches (published_at desc, id desc)
  where status = 'published' and visibility <> 'private';
create index pitches_format_idx on pitches (format, published_at desc, id desc)
  where status = 'published' and visibility <> 'private';
create index pitches_genre_idx on pitches (genre, estimated_budget)
  where status = 'published' and visibility <> 'private';
create index pitches_seeking_idx on pitches (published_at desc) where seeking_investment;
create index pitches_user_idx on pitches (user_id, created_at desc);
create index pitches_search_idx on pitches using gin (search);
create unique index pitches_idempotency_key on pitches (user_id, idempotency_key) where idempotency_key is not null;

-- Money outlives what it was spent on: neither investor nor pitch can be deleted under an investment.
create table investments (
  id integer generated by default as identity primary key,
  investor_id integer not null constraint investments_investor_fk references users on delete restrict,
  pitch_id integer not null constraint investments_pitch_fk references pitches on delete restrict,
  amount numeric(15, 2) not null,
  status investment_status not null default 'pending',
  terms text,
  current_value numeric(15, 2),
  documents jsonb not null default '[]',
  roi_percentage numeric(7, 2),
  idempotency_key uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint investments_idempotency_key unique (investor_id, idempotency_key),
  constraint investments_amount_check check (amount > 0)
);
create index investments_investor_idx on investments (investor_id, created_at desc);
create index investments_pitch_idx on investments (pitch_id, created_at desc);

create table investment_interests (
  id integer generated by default as identity primary key,
  investor_id integer not null constraint investment_interests_investor_fk references users on delete cascade,
  pitch_id integer not null constraint investment_interests_pitch_fk references pitches on delete cascade,
  amount numeric(15, 2),
  interest_level interest_level not null default 'moderate',
  notes text,
  status varchar(20) not null default 'active',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint investment_interests_once_key unique (investor_id, pitch_id),
  constraint investment_interests_amount_check check (amount > 0)
);
create index investment_interests_pitch_idx on investment_interests (pitch_id, created_at desc);

-- 'page' rows are the views that pitches.view_count counts; the others tell what was done on the page.
create table pitch_views (
  id bigint generated by default as identity primary key,
  pitch_id integer not null constraint pitch_views_pitch_fk references pitches on delete cascade,
  viewer_id integer constraint pitch_views_viewer_fk references users on delete set null,
  ip_address inet,
  view_type view_type not null default 'page',
  referrer text,
  session_id uuid,
  view_duration integer,
  scroll_depth smallint,
  viewed_at timestamptz not null default now(),
  constraint pitch_views_duration_check check (view_duration >= 0),
  constraint pitch_views_depth_check check (scroll_depth between 0 and 100)
);
create index pitch_views_pitch_idx on pitch_views (pitch_id, viewed_at desc);
create index pitch_views_viewer_idx on pitch_views (viewer_id, viewed_at desc) where viewer_id is not null;
-- A browser repeats its beacon: a session's report of one kind is one row, whatever arrives.
create unique index pitch_views_report_key on pitch_views (session_id, pitch_id, view_type)
  where view_type <> 'page' and session_id is not null;

create table ndas (
  id integer generated by default as identity primary key,
  pitch_id integer not null constraint ndas_pitch_fk references pitches on delete cascade,
  signer_id integer not null constraint ndas_signer_fk references users on delete cascade,
  status nda_status not null default 'pending',
  nda_type varchar(20) not null default 'standard',
  access_granted boolean not null default false,
  signed_at timestamptz,
  expires_at date,
  created_at timestamptz not null default now(),
  constraint ndas_once_key unique (pitch_id, signer_id),
  constraint ndas_access_check check (not access_granted or (status = 'approved' and signed_at is not null))
);
create index ndas_signer_idx on ndas (signer_id, status);

create table nda_requests (
  id integer generated by default as identity primary key,
  pitch_id integer not null constraint nda_requests_pitch_fk references pitches on delete cascade,
  requester_id integer not null constraint nda_requests_requester_fk references users on delete cascade,
  owner_id integer not null constraint nda_requests_owner_fk references users on delete cascade,
  status nda_status not null default 'pending',
  message text,
  requested_at timestamptz not null default now(),
  responded_at timestamptz,
  constraint nda_requests_responded_check check ((status = 'pending') = (responded_at is null))
);
create unique index nda_requests_pending_key on nda_requests (pitch_id, requester_id) where status = 'pending';
create index nda_requests_inbox_idx on nda_requests (owner_id, status, requested_at desc);
create index nda_requests_requester_idx on nda_requests (requester_id);

-- A follow is of a person or of a pitch.
create table follows (
  id integer generated by default as identity primary key,
  follower_id integer not null constraint follows_follower_fk references users on delete cascade,
  following_id integer constraint follows_following_fk references users on delete cascade,
  pitch_id integer constraint follows_pitch_fk references pitches on delete cascade,
  created_at timestamptz not null default now(),
  constraint follows_target_check check (num_nonnulls(following_id, pitch_id) = 1),
  constraint follows_self_check check (follower_id <> following_id)
);
create unique index follows_user_key on follows (following_id, follower_id) where following_id is not null;
create unique index follows_pitch_key on follows (pitch_id, follower_id) where pitch_id is not null;
create index follows_follower_idx on follows (follower_id, created_at desc);

create table saved_pitches (
  user_id integer not null constraint saved_pitches_user_fk references users on delete cascade,
  pitch_id integer not null constraint saved_pitches_pitch_fk references pitches on delete cascade,
  created_at timestamptz not null default now(),
  constraint saved_pitches_pkey primary key (user_id, pitch_id)
);
create index saved_pitches_pitch_idx on saved_pitches (pitch_id);

create table notifications (
  id bigint generated by default as identity primary key,
  user_id integer not null constraint notifications_user_fk references users on delete cascade,
  type varchar(40) not null,
  title varchar(200) not null,
  message text not null,
  related_id integer,
  related_type varchar(40),
  data jsonb not null default '{}',
  is_read boolean not null default false,
  created_at timestamptz not null default now()
);
create index notifications_user_idx on notifications (user_id, created_at desc);
create index notifications_unread_idx on notifications (user_id) where not is_read;

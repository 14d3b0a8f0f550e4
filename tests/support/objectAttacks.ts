// What a superuser can do to tables and to what runs when they are used, beside catalogAttacks.ts.

type Attack = readonly [name: string, statement: string, back: string, finding: RegExp]

const kept = (name: string) =>
  `create table saved.definition as
     select pg_get_functiondef('${name}'::regprocedure) as text`
const putBack = `do $$ begin execute (select text from saved.definition); end $$;
  drop table saved.definition`
const ofDatabase = (change: string) =>
  `do $$ begin execute format('alter database %I ${change}', current_database()); end $$`
const index = (name: string) => `where indexrelid = '${name}'::regclass`
const table = (name: string) => `where oid = '${name}'::regclass`

const tables: readonly Attack[] = [
  [
    'a table that a crash empties',
    'alter table shop.snapshots set unlogged',
    'alter table shop.snapshots set logged',
    /table shop.snapshots: .*persistence u/,
  ],
  [
    'a view in the place of a table',
    `alter table shop.audit_marks rename to others;
     create view shop.audit_marks as select * from shop.others`,
    'drop view shop.audit_marks; alter table shop.others rename to audit_marks',
    /table shop.others: No migration[\s\S]*table shop.audit_marks: .*view/,
  ],
  [
    'a table that is gone',
    'alter table shop.snapshots rename to others',
    'alter table shop.others rename to snapshots',
    /table shop.snapshots: It is gone[\s\S]*snapshots: relation "shop.snapshots" does not exist/,
  ],
  [
    'a column that is gone',
    'alter table shop.accounts rename password_hash to others',
    'alter table shop.accounts rename others to password_hash',
    /column shop.accounts.password_hash: It is gone[\s\S]*accounts: column "password_hash"/,
  ],
  [
    'a table that is part of another',
    `create table shop.whole (like shop.snapshots including defaults) partition by list (stream);
     alter table shop.whole attach partition shop.snapshots default`,
    'alter table shop.whole detach partition shop.snapshots; drop table shop.whole',
    /rows of shop.snapshots shown in shop.whole/,
  ],
  [
    'rows of a table in another schema',
    'create table saved.more () inherits (shop.person_keys)',
    'drop table saved.more',
    /rows of saved.more shown in shop.person_keys/,
  ],
  [
    'a table of their own',
    'create table shop.mine ()',
    'drop table shop.mine',
    /table shop.mine: No migration/,
  ],
  [
    'a column that is computed',
    `alter table shop.accounts
       add column mine text generated always as (lower(username)) stored`,
    'alter table shop.accounts drop column mine',
    /column shop.accounts.mine: No migration/,
  ],
  [
    'what a column has by itself',
    'alter table shop.accounts alter confirmed set default true',
    'alter table shop.accounts alter confirmed set default false',
    /column shop.accounts.confirmed: .*default true/,
  ],
  [
    'a column that may be empty',
    'alter table shop.accounts alter password_hash drop not null',
    'alter table shop.accounts alter password_hash set not null',
    /column shop.accounts.password_hash/,
  ],
  [
    'the type of a column',
    'alter table shop.audit_marks alter raised_at type timestamp',
    'alter table shop.audit_marks alter raised_at type timestamptz',
    /column shop.audit_marks.raised_at: .*without time zone/,
  ],
  [
    'how names of streams are compared',
    'alter table eventstore.events alter stream type text collate "default"',
    'alter table eventstore.events alter stream type text collate "C"',
    /column eventstore.events.stream/,
  ],
  [
    'policies of a table, for its owner, too',
    `create policy mine on shop.accounts using (false);
     alter table shop.accounts force row level security`,
    'drop policy mine on shop.accounts; alter table shop.accounts no force row level security',
    /policy shop.accounts.mine[\s\S]*table shop.accounts: .*row security/,
  ],
]

const rules: readonly Attack[] = [
  [
    'a check',
    'alter table shop.identity drop constraint identity_currency_check',
    `alter table shop.identity
       add constraint identity_currency_check check (currency ~ '^[A-Z]{3}$')`,
    /constraint shop.identity.identity_currency_check: It is gone/,
  ],
  [
    'a check that rows of before need not pass',
    `alter table shop.identity drop constraint identity_currency_check;
     alter table shop.identity
       add constraint identity_currency_check check (currency ~ '^[A-Z]{3}$') not valid`,
    'alter table shop.identity validate constraint identity_currency_check',
    /identity_currency_check: .*NOT VALID/,
  ],
  [
    'a foreign key',
    'alter table shop.refresh_tokens drop constraint refresh_tokens_family_fkey',
    `alter table shop.refresh_tokens add constraint refresh_tokens_family_fkey
       foreign key (family) references shop.sessions (family) on delete cascade`,
    /constraint shop.refresh_tokens.refresh_tokens_family_fkey: It is gone/,
  ],
  [
    'foreign keys that are not looked at',
    'alter table shop.refresh_tokens disable trigger all',
    'alter table shop.refresh_tokens enable trigger all',
    /disabled trigger shop.refresh_tokens.RI_Constraint/,
  ],
  [
    'a unique constraint that is looked at too late',
    `alter table eventstore.events drop constraint events_event_id;
     alter table eventstore.events
       add constraint events_event_id unique (event_id) deferrable initially deferred`,
    `alter table eventstore.events drop constraint events_event_id;
     alter table eventstore.events add constraint events_event_id unique (event_id)`,
    /constraint eventstore.events.events_event_id: .*DEFERRABLE/,
  ],
  [
    'an index that is not looked at',
    `update pg_index set indisvalid = false ${index('eventstore.events_stream_revision')}`,
    `update pg_index set indisvalid = true ${index('eventstore.events_stream_revision')}`,
    /index eventstore.events.events_stream_revision: .*not used/,
  ],
  [
    'an event that was written while an index was switched off',
    `update pg_index set indisready = false ${index('eventstore.events_stream_revision')};
     insert into eventstore.events
       values (1, 'customer-1', 0, gen_random_uuid(), 'RoleRevoked', '{}', '{}', now());
     update pg_index set indisready = true ${index('eventstore.events_stream_revision')}`,
    'delete from eventstore.events; reindex table eventstore.events',
    /index events_stream_revision: It has 0 of 1 events/,
  ],
  [
    'a unique index that says that it is none',
    `update pg_index set indisunique = false ${index('shop.accounts_username')}`,
    `update pg_index set indisunique = true ${index('shop.accounts_username')}`,
    /index shop.accounts.accounts_username/,
  ],
  [
    'an index that calls a function of theirs',
    `create function shop.mine(text) returns text language sql immutable return $1;
     create index mine on shop.accounts (shop.mine(username))`,
    'drop function shop.mine(text) cascade',
    /function shop.mine\(text\): No migration[\s\S]*index shop.accounts.mine: No migration/,
  ],
  [
    'a table that says that it has no triggers',
    `update pg_class set relhastriggers = false ${table('eventstore.events')}`,
    `update pg_class set relhastriggers = true ${table('eventstore.events')}`,
    /table eventstore.events: .*without its triggers/,
  ],
  [
    'a table that says that it has no checks',
    `update pg_class set relchecks = 0 ${table('eventstore.events')}`,
    `update pg_class set relchecks = 1 ${table('eventstore.events')}`,
    /table eventstore.events: .*without its checks/,
  ],
  [
    'a trigger that runs for copies alone',
    'alter table eventstore.events enable replica trigger events_are_facts',
    'alter table eventstore.events enable trigger events_are_facts',
    /trigger eventstore.events.events_are_facts: .*disabled/,
  ],
  [
    'a rule that turns updates into nothing',
    'create rule mine as on update to shop.sessions do instead nothing',
    'drop rule mine on shop.sessions',
    /rule shop.sessions.mine: No migration/,
  ],
]

const functions: readonly Attack[] = [
  [
    'what forgets a person',
    `${kept('shop.forget_person(uuid)')};
     create or replace function shop.forget_person(person uuid) returns void language plpgsql
       as 'begin end'`,
    putBack,
    /function shop.forget_person\(person uuid\): It is not the one/,
  ],
  [
    'what is found by a search',
    `${kept('public.plain_words(text)')};
     create or replace function public.plain_words(text) returns text language sql
       immutable strict parallel safe return $1`,
    putBack,
    /function public.plain_words\(text\): It is not the one/,
  ],
  [
    'whose rights a function has',
    'alter function shop.forget_person(uuid) security definer',
    'alter function shop.forget_person(uuid) security invoker',
    /function shop.forget_person\(person uuid\): .*security definer/,
  ],
  [
    'a function that fits better',
    `create function public.lower(varchar) returns text language sql as 'select $1'`,
    'drop function public.lower(varchar)',
    /function public.lower\(character varying\): No migration/,
  ],
  [
    'a function that is said to be of an extension',
    `create function public.mine() returns void language plpgsql as 'begin end';
     alter extension pg_trgm add function public.mine()`,
    'alter extension pg_trgm drop function public.mine(); drop function public.mine()',
    /function public.mine\(\): No migration/,
  ],
  [
    'a function among those of PostgreSQL',
    `create function pg_catalog.mine() returns void language plpgsql as 'begin end'`,
    'drop function pg_catalog.mine()',
    /function pg_catalog.mine\(\): No migration/,
  ],
  [
    'an operator',
    `create function public.same(uuid, text) returns boolean language sql as 'select true';
     create operator public.= (leftarg = uuid, rightarg = text, function = public.same)`,
    'drop function public.same(uuid, text) cascade',
    /operator public.=\(uuid,text\): No migration/,
  ],
  [
    'a cast',
    'create cast (text as uuid) with inout as implicit',
    'drop cast (text as uuid)',
    /cast from text to uuid: No migration/,
  ],
  [
    'a type in the place of another',
    'create domain shop.tid as text',
    'drop domain shop.tid',
    /type shop.tid: No migration/,
  ],
  [
    'a trigger on definitions',
    `create function saved.mine() returns event_trigger language plpgsql as 'begin end';
     create event trigger mine on ddl_command_end execute function saved.mine()`,
    'drop event trigger mine; drop function saved.mine()',
    /event trigger mine: No migration/,
  ],
  [
    'rows that come from another server',
    `create subscription mine connection 'dbname=others' publication others
       with (connect = false, enabled = false, slot_name = none)`,
    'drop subscription mine',
    /subscription mine: No migration/,
  ],
  [
    'commits that are not waited for',
    ofDatabase('set synchronous_commit = off'),
    ofDatabase('reset synchronous_commit'),
    /setting synchronous_commit=off of/,
  ],
  [
    'pages that are damaged and read as empty ones',
    ofDatabase('set zero_damaged_pages = on'),
    ofDatabase('reset zero_damaged_pages'),
    /setting zero_damaged_pages=on of/,
  ],
  [
    'a migration that is not of this release',
    `insert into public.kysely_migration (name, timestamp) values ('9999_mine', '')`,
    `delete from public.kysely_migration where name = '9999_mine'`,
    /migration 9999_mine: It is none of this release/,
  ],
]

/** A name, the statement, what takes it back, and what the shop says of it. */
export const objectAttacks = [...tables, ...rules, ...functions]

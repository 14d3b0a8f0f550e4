// What a superuser can do to the catalogue of the database so that it no longer keeps the log.

/** A name, the statement, what takes it back, and what the shop says of it. */
export const catalogAttacks: readonly [string, string, string, RegExp][] = [
  [
    'a trigger that is disabled',
    'alter table eventstore.events disable trigger events_are_facts',
    'alter table eventstore.events enable trigger events_are_facts',
    /trigger eventstore.events.events_are_facts: .*which is disabled/,
  ],
  [
    'a trigger that lets updates through',
    `drop trigger events_are_facts on eventstore.events;
     create trigger events_are_facts before truncate on eventstore.events
     for each statement execute function eventstore.refuse_change()`,
    `drop trigger events_are_facts on eventstore.events;
     create trigger events_are_facts before update or delete or truncate on eventstore.events
     for each statement execute function eventstore.refuse_change()`,
    /events_are_facts: It is not the one/,
  ],
  [
    'a trigger of their own',
    `create function shop.mine() returns trigger language plpgsql as 'begin return new; end';
     create trigger mine before insert on shop.accounts
     for each row execute function shop.mine()`,
    'drop function shop.mine() cascade',
    /function shop.mine\(\): No migration[\s\S]*trigger shop.accounts.mine: No migration/,
  ],
  [
    'the function that refuses changes',
    `alter function eventstore.refuse_change() rename to refuse_nothing`,
    `alter function eventstore.refuse_nothing() rename to refuse_change`,
    /refuse_nothing\(\): No migration[\s\S]*refuse_change\(\): It is gone/,
  ],
  [
    'a constraint',
    'alter table eventstore.events drop constraint events_event_id',
    'alter table eventstore.events add constraint events_event_id unique (event_id)',
    /constraint eventstore.events.events_event_id: It is gone/,
  ],
  [
    'a default',
    `alter table eventstore.events alter column recorded_at set default now()`,
    `alter table eventstore.events alter column recorded_at drop default`,
    /column eventstore.events.recorded_at: .*default now/,
  ],
  [
    'a rule',
    `create rule mine as on insert to shop.audit_checkpoints do instead nothing`,
    'drop rule mine on shop.audit_checkpoints',
    /rule shop.audit_checkpoints.mine/,
  ],
  [
    'policies that hide rows',
    'alter table eventstore.events enable row level security',
    'alter table eventstore.events disable row level security',
    /table eventstore.events: .*row security/,
  ],
  [
    'rows of another table',
    'create table shop.more () inherits (eventstore.events)',
    'drop table shop.more',
    /rows of shop.more shown in eventstore.events[\s\S]*table shop.more: No migration/,
  ],
  [
    'a unique index',
    'drop index shop.accounts_email',
    'create unique index accounts_email on shop.accounts (email_digest)',
    /index shop.accounts.accounts_email: It is gone/,
  ],
  [
    'a unique index that is none any more',
    `drop index shop.accounts_username;
     create index accounts_username on shop.accounts (lower(username))`,
    `drop index shop.accounts_username;
     create unique index accounts_username on shop.accounts (lower(username))`,
    /index shop.accounts.accounts_username: It is not the one/,
  ],
  [
    'a primary key',
    'alter table shop.audit_checkpoints drop constraint audit_checkpoints_pkey',
    'alter table shop.audit_checkpoints add primary key (position)',
    /constraint shop.audit_checkpoints.audit_checkpoints_pkey: It is gone/,
  ],
  [
    'a setting by which no trigger runs',
    `do $$ begin execute format(
       'alter database %I set session_replication_role = replica', current_database()); end $$`,
    `do $$ begin execute format(
       'alter database %I reset session_replication_role', current_database()); end $$`,
    /setting session_replication_role=replica of/,
  ],
  [
    'a trigger that says that it is internal',
    `create function public.mine() returns trigger language plpgsql as 'begin return new; end';
     create trigger mine before insert on shop.accounts
     for each row execute function public.mine();
     update pg_trigger set tgisinternal = true where tgname = 'mine'`,
    `update pg_trigger set tgisinternal = false where tgname = 'mine';
     drop function public.mine() cascade`,
    /trigger shop.accounts.mine: No migration/,
  ],
  [
    'a trigger on a read model',
    `create function public.mine() returns trigger language plpgsql as 'begin return new; end';
     create trigger mine before insert on readmodel.orders
     for each row execute function public.mine()`,
    'drop function public.mine() cascade',
    /trigger readmodel.orders.mine: No migration/,
  ],
  [
    'what a function of the log finds under the names that it uses',
    `alter function eventstore.refuse_change() set search_path = 'public, pg_catalog'`,
    'alter function eventstore.refuse_change() reset all',
    /function eventstore.refuse_change\(\): It is not the one/,
  ],
  [
    'a constraint of the same name',
    `alter table eventstore.events drop constraint events_stream_revision;
     alter table eventstore.events
       add constraint events_stream_revision unique (stream, revision, event_id)`,
    `alter table eventstore.events drop constraint events_stream_revision;
     alter table eventstore.events add constraint events_stream_revision unique (stream, revision)`,
    /constraint eventstore.events.events_stream_revision: It is not the one/,
  ],
  [
    'a check of the same name',
    `alter table eventstore.events drop constraint events_in_the_log;
     alter table eventstore.events add constraint events_in_the_log check (true)`,
    `alter table eventstore.events drop constraint events_in_the_log;
     alter table eventstore.events
       add constraint events_in_the_log check (position > 0 and revision >= 0) not valid`,
    /constraint eventstore.events.events_in_the_log: It is not the one/,
  ],
  [
    'a unique index of the same name that leaves rows out',
    `drop index shop.accounts_email;
     create unique index accounts_email on shop.accounts (email_digest) where not confirmed`,
    `drop index shop.accounts_email;
     create unique index accounts_email on shop.accounts (email_digest)`,
    /index shop.accounts.accounts_email: It is not the one/,
  ],
]

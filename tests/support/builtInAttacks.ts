// What a superuser can do to PostgreSQL's own objects, which the tables of the shop rest on.

/** A name, the statement, what takes it back, and what the shop says of it. */
export const builtInAttacks: readonly [string, string, string, RegExp][] = [
  [
    'a collation of the same name',
    `create collation saved."C" (locale = 'C');
     alter table eventstore.events alter stream type text collate saved."C"`,
    `alter table eventstore.events alter stream type text collate pg_catalog."C";
     drop collation saved."C"`,
    /column eventstore.events.stream: .*collate saved.C/,
  ],
  [
    'how an index compares',
    `update pg_opclass set opcdefault = false where opcname = 'uuid_ops' and opcmethod = 403;
     create operator class saved.uuid_ops default for type uuid using btree as
       operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >,
       function 1 uuid_cmp(uuid, uuid)`,
    `drop operator family saved.uuid_ops using btree;
     update pg_opclass set opcdefault = true where opcname = 'uuid_ops' and opcmethod = 403`,
    /operator class saved.uuid_ops: No migration/,
  ],
  [
    'what an operator of PostgreSQL does',
    `update pg_operator set oprcode = 'int84lt'::regproc
     where oid = '<=(bigint,integer)'::regoperator`,
    `update pg_operator set oprcode = 'int84le'::regproc
     where oid = '<=(bigint,integer)'::regoperator`,
    /changed operator <=\(bigint,integer\)/,
  ],
  [
    'a function of PostgreSQL',
    `create or replace function pg_catalog.int84le(bigint, integer) returns boolean
     language sql immutable strict parallel safe return false`,
    `create or replace function pg_catalog.int84le(bigint, integer) returns boolean
     language internal immutable strict parallel safe leakproof as 'int84le'`,
    /changed function int84le\(bigint,integer\)/,
  ],
  [
    'an aggregate of PostgreSQL',
    `update pg_aggregate set aggtransfn = 'int8smaller'::regproc
     where aggfnoid = 'max(bigint)'::regprocedure`,
    `update pg_aggregate set aggtransfn = 'int8larger'::regproc
     where aggfnoid = 'max(bigint)'::regprocedure`,
    /changed aggregate max\(bigint\)/,
  ],
  [
    'a foreign key whose triggers are gone',
    `create table saved.triggers as select * from pg_trigger
     where tgisinternal and tgrelid = 'shop.refresh_tokens'::regclass;
     delete from pg_trigger where oid in (select oid from saved.triggers)`,
    `insert into pg_trigger select * from saved.triggers;
     drop table saved.triggers`,
    /constraint shop.refresh_tokens.refresh_tokens_family_fkey: .*without its triggers/,
  ],
  [
    'a trigger that says that it is internal, with a function of PostgreSQL',
    `create trigger mine before update on shop.sessions
     for each row execute function suppress_redundant_updates_trigger();
     update pg_trigger set tgisinternal = true where tgname = 'mine'`,
    `update pg_trigger set tgisinternal = false where tgname = 'mine';
     drop trigger mine on shop.sessions`,
    /trigger shop.sessions.mine: No migration/,
  ],
  [
    'how numbers are read',
    `update pg_type set typinput = 'int4in'::regproc where typname = 'int8'`,
    `update pg_type set typinput = 'int8in'::regproc where typname = 'int8'`,
    /changed type bigint/,
  ],
]

// What the simulated PostgreSQL knows for rebuilds: their states, the schemas in which tables are
// filled, and how they are compared and put in the place of others.
import type { Table } from './server.ts'
import { createTable } from './server.ts'
import {
  elementsOf,
  found,
  postgresError,
  type Row,
  type Running,
  type Statement,
  textual,
  written,
} from './statements.ts'

/** Tables by schema and name. */
export type Tables = Map<string, Table>

const placed = /"(\w+)"\."(\w+)"/
const keyOf = (schema: string, table: string) => `${schema}.${table}`
const ofRebuild = (name: unknown) => `rebuild ${name}`
const held = (running: Running) => running.undo(() => undefined)

export function rebuildStatements(tables: Tables, table: (name: string) => Table): Statement[] {
  return [
    ...lockStatements(),
    ...beginningStatements(table('rebuilds')),
    ...turnStatements(table('rebuilds')),
    ...checkpointStatements(table('checkpoints')),
    ...parkingStatements(table('parked_events')),
    ...schemaStatements(tables),
    ...catalogueStatements(tables),
    ...comparingStatements(tables, table),
  ]
}

function lockStatements(): Statement[] {
  return [
    {
      matches: /select pg_try_advisory_lock/,
      run: ([key], { tryLock }) => found([{ taken: tryLock(String(key)) }]),
    },
    {
      matches: /select pg_advisory_unlock_all/,
      run(_, { unlockAll }) {
        unlockAll()
        return found([{}])
      },
    },
  ]
}

/** Changes what is written down of one rebuild. */
const changing =
  (rebuilds: Table) =>
  (running: Running, name: unknown, to: Row): void =>
    rebuilds.put(String(name), { ...rebuilds.rows.get(String(name)), ...to }, running.undo)

const isTurnIn =
  (rebuilds: Table) =>
  (name: unknown, epoch: unknown): boolean =>
    String(rebuilds.rows.get(String(name))?.epoch) === String(epoch)

/** How rebuilds are asked for, found and begun. */
function beginningStatements(rebuilds: Table): Statement[] {
  const change = changing(rebuilds)
  return [
    {
      matches: /insert into shop\.rebuilds as r/,
      locks: ([name]) => ofRebuild(name),
      run([name, version, target, acceptsBroken], running) {
        const before = rebuilds.rows.get(String(name))
        const isLeft = before?.state === 'running' || before?.state === 'failed'
        const goesOn = before?.version === version && isLeft
        const position = goesOn ? before?.position : 0n
        const epoch = BigInt(String(before?.epoch ?? 0n)) + 1n
        change(running, name, { name, version, target, state: 'running', position, epoch })
        return found([{ position, epoch, acceptsBroken }])
      },
    },
    {
      matches: /insert into shop\.rebuilds \(name/,
      locks: ([name]) => ofRebuild(name),
      run([name, version], running) {
        const before = rebuilds.rows.get(String(name))
        if (before?.state === 'running') return written(0)
        const fresh = { epoch: 0n, ...before, name, version, state: 'requested', position: 0n }
        change(running, name, fresh)
        return written(1)
      },
    },
    textual(/select name from shop\.rebuilds where state in/, text => {
      const states = new Set([...text.matchAll(/'(\w+)'/g)].map(([, state]) => state))
      const isWaited = ({ state }: Row) => states.has(String(state))
      return () => found([...rebuilds.rows.values()].filter(isWaited).map(({ name }) => ({ name })))
    }),
  ]
}

/** What only the last beginning of a rebuild may do, and how it ends. */
function turnStatements(rebuilds: Table): Statement[] {
  const change = changing(rebuilds)
  const isTurn = isTurnIn(rebuilds)
  const refuse = () => postgresError('OS001', 'a rebuild has begun anew')
  return [
    {
      ...textual(/update shop\.rebuilds\s+set position/, text => {
        const isFenced = text.includes('and epoch')
        return ([position, name, epoch], running) => {
          if (isFenced && !isTurn(name, epoch)) throw refuse()
          change(running, name, { position: BigInt(String(position)) })
          return found([{}])
        }
      }),
      locks: ([, name]) => ofRebuild(name),
    },
    {
      ...textual(/select name from shop\.rebuilds where name = \$1[\s\S]* for update/, text => {
        const isFenced = text.includes('and epoch')
        return ([name, epoch], running) => {
          if (isFenced && !isTurn(name, epoch)) throw refuse()
          held(running)
          return found([{}])
        }
      }),
      locks: ([name]) => ofRebuild(name),
    },
    {
      matches: /update shop\.rebuilds\s+set state = 'done'/,
      locks: ([, , , name]) => ofRebuild(name),
      run([matches, differences, broken, name, epoch], running) {
        if (!isTurn(name, epoch)) return written(0)
        change(running, name, { state: 'done', matches, differences, broken })
        return written(1)
      },
    },
    {
      matches: /update shop\.rebuilds\s+set state = 'failed'/,
      run([error, names], running) {
        const isRunning = (name: string) => rebuilds.rows.get(name)?.state === 'running'
        const cut = elementsOf(names).filter(isRunning)
        for (const name of cut) change(running, name, { state: 'failed', error })
        return written(cut.length)
      },
    },
  ]
}

function checkpointStatements(checkpoints: Table): Statement[] {
  const rowOf = (name: unknown) => checkpoints.rows.get(String(name))
  const positionOf = (row: Row) => ({ ...row, position: BigInt(String(row.position)) })
  return [
    {
      matches: /c\.version <> p\.version/,
      run([wanted]) {
        const all: { name: string; version?: number }[] = JSON.parse(String(wanted))
        return found(
          all.filter(({ name, version }) => (rowOf(name)?.version ?? version) !== version),
        )
      },
    },
    {
      matches: /select position, version from shop\.checkpoints where name = \$1 for update/,
      locks: true,
      run([name], running) {
        held(running)
        const row = rowOf(name)
        return found(row === undefined ? [] : [positionOf(row)])
      },
    },
    {
      matches: /select position from shop\.checkpoints where name = \$1/,
      run([name], { memory }) {
        const seen = snapshotIn(memory)?.get('readmodel.checkpoints')?.get(String(name))
        const row = seen ?? rowOf(name)
        return found(row === undefined ? [] : [positionOf(row)])
      },
    },
    {
      matches: /update shop\.checkpoints\s+set position = \$1,\s+version = \$2/,
      locks: true,
      run([position, version, seconds, name], { undo, now }) {
        const row = rowOf(name)
        if (row === undefined) return written(0)
        const until = now().getTime() + Number(seconds) * 1_000
        const leased_until = row.runner === null ? 0 : until
        const epoch = BigInt(String(row.epoch)) + 1n
        checkpoints.put(String(name), { ...row, position, version, epoch, leased_until }, undo)
        return written(1)
      },
    },
  ]
}

function parkingStatements(parked: Table): Statement[] {
  const named = (name: unknown) => [...parked.rows].filter(([, row]) => row.name === name)
  return [
    {
      matches: /delete from shop\.parked_events where name = \$1$/,
      locks: ([name]) => lockOfParking(name),
      run([name], { undo }) {
        for (const [key] of named(name)) parked.remove(key, undo)
        return written(1)
      },
    },
    {
      matches: /update shop\.parked_events set name = \$1 where name = \$2/,
      locks: true,
      run([name, before], { undo }) {
        for (const [key, row] of named(before)) {
          parked.remove(key, undo)
          parked.put(`${name} ${row.position}`, { ...row, name }, undo)
        }
        return written(1)
      },
    },
    { matches: /insert into shop\.previous_tables/, run: () => written(1) },
  ]
}

/** What is parked by a rebuild concerns nobody else. */
export function lockOfParking(name: unknown): string {
  const [projection = '', rebuild] = String(name).split('~')
  return rebuild === undefined ? 'live' : ofRebuild(projection)
}

/** What is done to schemas is seen by all at once, when its transaction is committed. */
function schemaStatements(tables: Tables): Statement[] {
  const inSchema = (schema: string) =>
    [...tables.keys()].filter(key => key.startsWith(`${schema}.`))
  const drop = (schema: string) => {
    for (const key of inSchema(schema)) tables.delete(key)
  }
  const whenCommitted = (matches: RegExp, work: (names: readonly string[]) => void): Statement => ({
    matches,
    run: () => written(0),
    locks: (_, { text }) => (text.includes('"readmodel"') ? 'live' : ''),
    meaning: text => {
      const names = (matches.exec(text) ?? []).slice(1)
      return (_, running) => {
        held(running)
        running.atCommit(() => work(names))
        return written(0)
      }
    },
  })
  const nothing = (matches: RegExp): Statement => ({ matches, run: () => written(0) })
  return [
    whenCommitted(/drop schema if exists "(\w+)" cascade/, ([schema = '']) => drop(schema)),
    nothing(/^\s*create schema /),
    whenCommitted(
      /create table "(\w+)"\."(\w+)" \(\s*like /,
      ([schema = '', name = '']) => void tables.set(keyOf(schema, name), createTable()),
    ),
    nothing(/^\s*alter table "\w+"\."\w+" (re)?set \(/),
    whenCommitted(
      /alter table "(\w+)"\."(\w+)" set schema "(\w+)"/,
      ([from = '', name = '', to = '']) => {
        const moved = tables.get(keyOf(from, name)) ?? createTable()
        tables.delete(keyOf(from, name))
        tables.set(keyOf(to, name), moved)
      },
    ),
    whenCommitted(/alter schema "(\w+)" rename to "(\w+)"/, ([from = '', to = '']) => {
      for (const key of inSchema(from)) {
        const moved = tables.get(key)
        tables.delete(key)
        if (moved !== undefined) tables.set(keyOf(to, key.slice(from.length + 1)), moved)
      }
    }),
    nothing(/^\s*lock table /),
    nothing(/^\s*analyze /),
    nothing(/^\s*drop table if exists /),
  ]
}

/** Tables have no keys and indexes of their own here: each has one row a key. */
function catalogueStatements(tables: Tables): Statement[] {
  return [
    {
      matches: /from pg_constraint\s+where conrelid = \$1::regclass and contype in/,
      run: () => found([]),
    },
    { matches: /from pg_index i/, run: () => found([]) },
    { matches: /pg_table_size/, run: () => found([{ bytes: 0n }]) },
    {
      matches: /from pg_tables/,
      run([schema, names]) {
        const there = elementsOf(names).filter(name => tables.has(keyOf(String(schema), name)))
        return found([{ found: BigInt(there.length) }])
      },
    },
    // No index of events is kept here.
    {
      matches: /as events,[\s\S]*'eventIndex'/,
      run: () => found([{ events: 0n, position: null }]),
    },
    { matches: /from pg_attribute/, run: () => found([{ name: 'row', type: 'text' }]) },
  ]
}

type Rows = ReadonlyMap<string, Row>
type Snapshot = ReadonlyMap<string, Rows>

function snapshotIn(memory: Running['memory']): Snapshot | undefined {
  return memory.get('snapshot') as Snapshot | undefined
}

function comparingStatements(tables: Tables, table: (name: string) => Table): Statement[] {
  const rowsIn = (place: string, { memory }: Running): Rows =>
    snapshotIn(memory)?.get(place) ?? tables.get(place)?.rows ?? new Map()
  /** In a repeatable read what is there at the first look is what is looked at. */
  const look = ({ memory }: Running) => {
    if (snapshotIn(memory) !== undefined) return
    memory.set('snapshot', new Map([...tables].map(([key, { rows }]) => [key, new Map(rows)])))
  }
  const placeIn = (text: string, pattern: RegExp) => {
    const [, schema = '', name = ''] = pattern.exec(text) ?? []
    return keyOf(schema, name)
  }
  return [
    {
      matches: /select name, position, version,[\s\S]*as parked/,
      locks: true,
      run([names], running) {
        look(running)
        const parked = [...table('parked_events').rows.values()]
        return found(
          elementsOf(names).flatMap(name => {
            const row = table('checkpoints').rows.get(name)
            if (row === undefined) return []
            const count = BigInt(parked.filter(each => each.name === name).length)
            const position = BigInt(String(row.position))
            return [{ name, position, version: row.version, parked: count }]
          }),
        )
      },
    },
    textual(/bit_xor/, text => {
      const place = placeIn(text, new RegExp(`from ${placed.source}`))
      return (_, running) => {
        const digests = [...rowsIn(place, running).values()].map(digestOf).toSorted()
        return found([{ rows: BigInt(digests.length), digest: digests.join('\n') }])
      }
    }),
    {
      ...textual(/create table "\w+"\."kept_\w+"\s+as/, text => {
        const kept = placeIn(text, new RegExp(`create table ${placed.source}`))
        const from = placeIn(text, new RegExp(`from ${placed.source}`))
        return (_, running) => {
          look(running)
          const copy = createTable()
          for (const [key, row] of rowsIn(from, running)) copy.rows.set(key, row)
          running.atCommit(() => void tables.set(kept, copy))
          return written(copy.rows.size)
        }
      }),
      locks: true,
    },
    textual(/with differing as/, text => {
      const kept = placeIn(text, new RegExp(`from ${placed.source} kept`))
      const fresh = kept.replace('.kept_', '.')
      return (_, running) => found(differing(rowsIn(kept, running), rowsIn(fresh, running)))
    }),
  ]
}

function differing(kept: Rows, fresh: Rows): Row[] {
  const keys = [...new Set([...kept.keys(), ...fresh.keys()])].toSorted()
  const all = keys.flatMap(key => {
    const [before, after] = [kept.get(key), fresh.get(key)]
    if (before === undefined || after === undefined) {
      return [{ key, kind: before === undefined ? 'missing' : 'extra' }]
    }
    return digestOf(before) === digestOf(after) ? [] : [{ key, kind: 'different' }]
  })
  const countOf = (kind: string) => BigInt(all.filter(each => each.kind === kind).length)
  return all.map(each => ({ ...each, n: countOf(each.kind) }))
}

/** A row as text, whoever has written its columns and in whatever order. */
function digestOf(row: Row): string {
  const columns = Object.keys(row).toSorted()
  return columns
    .filter(name => row[name] !== null && row[name] !== undefined)
    .map(name => `${name} ${JSON.stringify(row[name])}`)
    .join()
}

// What the simulated PostgreSQL keeps beside the log for those who follow it: checkpoints with
// their leases, tables of one row a key, and what reactions have put into their outboxes.
import { startOfLog } from '../../../src/kit/position.ts'
import { personalStatements } from './personal.ts'
import { lockOfParking, rebuildStatements, type Tables } from './rebuilds.ts'
import { createTable, type Table } from './server.ts'
import {
  elementsOf,
  found,
  postgresError,
  type Row,
  type Statement,
  textual,
  written,
} from './statements.ts'

interface Held {
  name: string
  epoch: string
  position: string
}

export interface ReadModels {
  /** Tables by name; of projections the keys are those of the shop. */
  table(name: string): Table
  rowsOf(name: string): Row[]
  statements: readonly Statement[]
}

/** Where webhooks go. */
const endpoint = 'the-endpoint'

/** The schema of the tables that serve; those of the schema `shop` are kept there, too. */
const serving = 'readmodel'

export function createReadModels(): ReadModels {
  const tables: Tables = new Map()
  function table(name: string, schema = serving): Table {
    const place = `${schema}.${name}`
    const known = tables.get(place)
    if (known !== undefined) return known
    if (schema !== serving) throw postgresError('42P01', `relation "${place}" does not exist`)
    const fresh = createTable()
    tables.set(place, fresh)
    return fresh
  }
  const statements = [
    ...checkpointStatements(table('checkpoints')),
    ...parkingStatements(table('parked_events')),
    ...keyedStatements(table),
    ...outboxStatements(table('mails'), table('webhooks')),
    ...sweepStatements(table),
    ...personalStatements(tables),
    ...rebuildStatements(tables, table),
  ]
  return { table, rowsOf: name => [...table(name).rows.values()], statements }
}

/** What becomes of a row, by the parameters of the statement. */
type Change = (row: Row, values: readonly unknown[], now: Date) => Row

const after = (now: Date, seconds: unknown) => now.getTime() + Number(seconds) * 1_000

function checkpointStatements(checkpoints: Table): Statement[] {
  return [
    {
      matches: /insert into shop\.checkpoints/,
      locks: true,
      run([wanted], { undo }) {
        for (const { name, version = null } of JSON.parse(String(wanted))) {
          if (checkpoints.rows.has(name)) continue
          const fresh = {
            name,
            version,
            epoch: 0n,
            position: startOfLog,
            runner: null,
            leased_until: 0,
          }
          checkpoints.put(name, fresh, undo)
        }
        return written(1)
      },
    },
    {
      matches: /for update of c skip locked[\s\S]*set runner = /,
      run([wanted, runner, , seconds], { now, undo, isLocked }) {
        if (isLocked) return found([])
        const leases: Row[] = []
        for (const { name, version = null } of JSON.parse(String(wanted))) {
          const row = checkpoints.rows.get(name)
          if (row?.version !== version) continue
          const isFree = row?.runner === runner || Number(row?.leased_until) < now().getTime()
          if (row === undefined || !isFree) continue
          const epoch = BigInt(String(row.epoch)) + 1n
          const taken = { ...row, runner, epoch, leased_until: after(now(), seconds) }
          checkpoints.put(name, taken, undo)
          leases.push({ name, runner, epoch, position: row.position })
        }
        return found(leases)
      },
    },
    writing(/shop\.checkpoints c[\s\S]*set position = /, text =>
      changing(checkpoints, text, (row, [, position, seconds], now) => ({
        ...row,
        position,
        leased_until: after(now, seconds),
      })),
    ),
    writing(/shop\.checkpoints c[\s\S]*set leased_until = greatest/, text =>
      changing(checkpoints, text, (row, [, seconds], now) => ({
        ...row,
        leased_until: Math.max(Number(row.leased_until), after(now, seconds)),
      })),
    ),
  ]
}

/** Changes rows that are as they are held, as far as the statement asks: all, or it throws. */
function changing(checkpoints: Table, text: string, change: Change): Run {
  const comparesEpoch = text.includes('c.epoch = l.epoch')
  const comparesPosition = text.includes('c.position = l.position')
  return (values, { undo, now }) => {
    const held: Held[] = JSON.parse(String(values[0]))
    const rows = held.map(({ name, epoch, position }) => {
      const row = checkpoints.rows.get(name)
      const isSameEpoch = !comparesEpoch || String(row?.epoch) === epoch
      const isSamePosition = !comparesPosition || String(row?.position) === position
      return isSameEpoch && isSamePosition ? row : undefined
    })
    if (rows.includes(undefined)) throw postgresError('OS001', 'a lease is not held')
    for (const row of rows) {
      if (row !== undefined) checkpoints.put(String(row.name), change(row, values, now()), undo)
    }
    return found([{}])
  }
}

function parkingStatements(parked: Table): Statement[] {
  return [
    {
      matches: /select distinct stream from shop\.parked_events/,
      run([name]) {
        const rows = [...parked.rows.values()].filter(row => row.name === name)
        return found([...new Set(rows.map(row => row.stream))].map(stream => ({ stream })))
      },
    },
    {
      matches: /insert into shop\.parked_events/,
      locks: ([name]) => lockOfParking(name),
      run([name, position, stream, type, error], { undo }) {
        parked.put(`${name} ${position}`, { name, position, stream, type, error }, undo)
        return written(1)
      },
    },
  ]
}

function keyedStatements(table: (name: string, schema: string) => Table): Statement[] {
  const namedIn = (text: string, pattern: RegExp) => pattern.exec(text)?.[1] ?? ''
  const load = /select r\."\w+"::text as key[\s\S]*from "(\w+)" where/
  const add = /insert into "(\w+)" \(/
  const update = /update "(\w+)" t\s+set/
  const remove = /delete from "(\w+)" where/
  const keyIn = (text: string) => namedIn(text, /"(\w+)" = any\(/)

  /** Statements differ in the table that they name: one for each text. */
  return [
    writing(load, text => {
      const name = namedIn(text, load)
      return ([keys], { schema }) => {
        const { rows } = table(name, schema)
        return found(
          elementsOf(keys).flatMap(key => {
            const row = rows.get(key)
            return row === undefined ? [] : [{ key, row: { ...row } }]
          }),
        )
      }
    }),
    writing(add, text => {
      const name = namedIn(text, add)
      const key = namedIn(text, /on conflict \("(\w+)"\)/)
      // Of events that are told on there is one a position, and it stays.
      const id = (row: Row) => String(row[key === '' ? 'position' : key])
      return ([given], { undo, schema }) => {
        const into = table(name, schema)
        const rows: Row[] = JSON.parse(String(given))
        const fresh = key === '' ? rows.filter(row => !into.rows.has(id(row))) : rows
        for (const row of fresh) into.put(id(row), row, undo)
        return written(fresh.length)
      }
    }),
    writing(update, text => {
      const name = namedIn(text, update)
      const key = keyIn(text)
      return ([given], { undo, schema }) => {
        const changed = table(name, schema)
        const rows: Row[] = JSON.parse(String(given))
        for (const row of rows) {
          const id = String(row[key])
          changed.put(id, { ...changed.rows.get(id), ...row }, undo)
        }
        return written(rows.length)
      }
    }),
    writing(remove, text => {
      const name = namedIn(text, remove)
      return ([keys], { undo, schema }) => {
        const from = table(name, schema)
        for (const key of elementsOf(keys)) from.remove(key, undo)
        return written(1)
      }
    }),
  ]
}

type Run = Statement['run']

/** What is written to tables that serve waits for others who write there, and the rest does not. */
function writing(matches: RegExp, meaning: (text: string) => Run): Statement {
  const locks: Statement['locks'] = (_, { schema }) => (schema === serving ? 'live' : schema)
  return { ...textual(matches, meaning), locks }
}

function outboxStatements(mails: Table, webhooks: Table): Statement[] {
  return [
    {
      matches: /insert into shop\.mails \(event_id, template, order_id/,
      locks: true,
      run([ids, templates, orderIds], { undo }) {
        const template = elementsOf(templates)
        const orders = elementsOf(orderIds)
        let count = 0
        for (const [n, event_id] of elementsOf(ids).entries()) {
          const key = `${event_id} ${template[n]}`
          if (mails.rows.has(key)) continue
          mails.put(key, { event_id, template: template[n], order_id: orders[n] }, undo)
          count += 1
        }
        return written(count)
      },
    },
    { matches: /insert into shop\.mails \(event_id, template, account/, run: () => written(0) },
    { matches: /delete from shop\.mails where account and/, run: () => written(0) },
    {
      matches: /insert into shop\.webhook_deliveries/,
      locks: true,
      run([ids], { undo }) {
        let count = 0
        for (const event_id of elementsOf(ids)) {
          if (webhooks.rows.has(event_id)) continue
          webhooks.put(event_id, { event_id, endpoint }, undo)
          count += 1
        }
        return written(count)
      },
    },
  ]
}

/** What a worker asks to find orders that were left half-way. */
function sweepStatements(table: (name: string) => Table): Statement[] {
  return [
    {
      matches: /from order_processes/,
      run([graceSeconds, asleep, failing], { now }) {
        const sleeping = new Set(elementsOf(asleep))
        const failed = new Set(elementsOf(failing))
        const nowMs = now().getTime()
        const due = [...table('order_processes').rows.values()].filter(row => {
          const isOpen = ['submitted', 'paying', 'refund_due', 'cart_open', 'settling'].some(
            name => row[name] === true,
          )
          const isStill = Date.parse(String(row.since)) < nowMs - Number(graceSeconds) * 1_000
          const hasMoney = Array.isArray(row.open_money) && row.open_money.length > 0
          const isLeft = (isOpen || hasMoney) && isStill && !sleeping.has(String(row.order_id))
          const isOver = row.expires_at !== null && Date.parse(String(row.expires_at)) <= nowMs
          return (isLeft || isOver) && !failed.has(String(row.order_id))
        })
        return found(due.map(({ order_id, paying }) => ({ order_id, paying, now: now() })))
      },
    },
    {
      matches: /from shop\.person_keys k/,
      run(_, { now }) {
        const customers = table('customers').rows
        const open = [...table('orders').rows.values()].filter(row => {
          const isErased = customers.get(String(row.customer_id))?.erased === true
          return isErased && (row.status === 'pending' || row.status === 'paid')
        })
        return found(open.map(({ order_id }) => ({ orderId: order_id, now: now() })))
      },
    },
  ]
}

// Holds a shop of real processes to its promises: what PostgreSQL, the mail server, followers and
// the clients themselves have goes to the auditor. Nothing else of src decides here.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { audit } from '../../src/audit/auditor/auditor.ts'
import type {
  Evidence,
  LogEvent,
  Mail,
  Message,
  MovedMoney,
} from '../../src/audit/auditor/evidence.ts'
import type { Traffic } from '../support/orderTraffic.ts'
import { readStore } from './eventStoreNodes.ts'
import type { LiveClient } from './liveClients.ts'

export interface Gathering {
  databaseUrl: string
  mailFolder: string
  traffic: Traffic
  live: readonly LiveClient[]
  /** How often a process was killed or stopped: each may send some mails twice. */
  deaths: number
}

/** Every promise that was broken, in plain words; an empty list when none was. */
export async function auditFromOutside(gathering: Gathering): Promise<string[]> {
  const { databaseUrl, mailFolder, traffic, live, deaths } = gathering
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const sent = await sentMails(mailFolder)
    await collectLog(client)
    const log = await readLog(client)
    const evidence: Evidence = {
      log,
      messages: traffic.placed.flatMap(toldOf),
      mails: [...sent.keys()].flatMap(mailOf),
      money: await movedMoney(client),
      orders: await shownOrders(client),
      failures: await parkedEvents(client),
      live: live.map(followerOf),
      isAtRest: true,
    }
    return [
      ...(await audit(evidence)).map(({ promise, detail: says }) => `${promise}: ${says}`),
      ...(await gaps(client)),
      ...(await wrongNumbers(client)),
      ...(await wrongCounts(client, traffic)),
      ...sentTwice(sent, deaths),
    ]
  } finally {
    await client.end()
  }
}

/** The log as this session sees it, whichever server has it. */
async function collectLog(client: pg.Client): Promise<void> {
  const stored = await readStore()
  if (stored === undefined) {
    await client.query('create temp view log as select * from eventstore.events')
    return
  }
  await client.query(`create temp table log (position bigint, stream text, revision bigint,
    event_id text, type text, data jsonb, metadata jsonb, recorded_at timestamptz)`)
  const columns = stored.map(({ id, recordedAt, ...event }) => {
    return { ...event, event_id: id, recorded_at: recordedAt }
  })
  await client.query('insert into log select * from jsonb_populate_recordset(null::log, $1)', [
    JSON.stringify(columns),
  ])
}

/** In PostgreSQL positions follow each other. */
async function gaps(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ finding: string }>(`
    select 'position ' || position || ' follows ' || before as finding
    from (select position, lag(position, 1, 0) over (order by position) as before
      from eventstore.events) positions
    where position <> before + 1
  `)
  return rows.map(({ finding }) => finding)
}

async function readLog(client: pg.Client): Promise<LogEvent[]> {
  const { rows } = await client.query<Record<string, string>>(
    `select position, stream, revision, event_id, type, data::text, metadata::text
    from log order by position`,
  )
  return rows.map(({ position, stream = '', revision, event_id, type = '', data, metadata }) => {
    const { commandId, at, source } = JSON.parse(metadata ?? '')
    const place = { position: Number(position), stream, revision: Number(revision) }
    return { ...place, id: `${event_id}`, type, data: JSON.parse(`${data}`), commandId, at, source }
  })
}

const eventOf: Readonly<Record<string, string>> = {
  paid: 'OrderPaid',
  shipped: 'OrderShipped',
  cancelled: 'OrderCancelled',
}

/** What was acknowledged of an order: that it was placed, and each step since. */
function toldOf({ orderId, customerId, done }: Traffic['placed'][number]): Message[] {
  const nothing = { revision: undefined, position: undefined, code: undefined, shown: undefined }
  const told = {
    ...nothing,
    commandId: undefined,
    by: customerId,
    begun: 1,
    sentAt: 0,
    answeredAt: 0,
    outcome: 'ok' as const,
    stream: `order-${orderId}`,
  }
  const steps = done.flatMap(step => {
    const leads = eventOf[step]
    return leads === undefined ? [] : [{ ...told, name: step, leads }]
  })
  return [{ ...told, name: 'PlaceOrder' }, ...steps]
}

/** Message-IDs of what was sent are the event's id and the template. */
async function sentMails(folder: string): Promise<Map<string, number>> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.eml'))
  const texts = await Promise.all(files.map(name => readFile(join(folder, name), 'utf8')))
  const sent = new Map<string, number>()
  for (const text of texts) {
    const id = /^Message-ID:\s+<([^>@]+)@/im.exec(text)?.[1] ?? 'none'
    sent.set(id, (sent.get(id) ?? 0) + 1)
  }
  return sent
}

function mailOf(messageId: string): Mail[] {
  const [eventId = '', template = ''] = messageId.split('.', 2)
  return template.startsWith('order-') ? [{ eventId, template }] : []
}

/** The window in which a process dies between sending and recording is stated. */
function sentTwice(sent: ReadonlyMap<string, number>, deaths: number): string[] {
  const twice = [...sent.values()].reduce((sum, times) => sum + times - 1, 0)
  return twice > deaths * 3 ? [`${twice} mails went out twice in ${deaths} deaths`] : []
}

async function movedMoney(client: pg.Client): Promise<MovedMoney[]> {
  const { rows } = await client.query<Record<'kind' | 'id' | 'payment_id' | 'amount', string>>(`
    select 'charge' as kind, payment_id as id, payment_id, amount_minor as amount
    from shop.simulated_payments where status = 'captured'
    union all
    select 'refund', refund_id, payment_id, amount_minor from shop.simulated_refunds
  `)
  return rows.map(({ kind, id, payment_id, amount }) => ({
    kind: kind === 'charge' ? 'charge' : 'refund',
    id,
    paymentId: payment_id,
    amount: Number(amount),
  }))
}

async function shownOrders(client: pg.Client) {
  const { rows } = await client.query<{ orderId: string; status: string }>(
    'select order_id as "orderId", status from readmodel.orders',
  )
  return rows
}

async function parkedEvents(client: pg.Client) {
  const { rows } = await client.query<{ name: string; stream: string }>(
    'select name, stream from shop.parked_events',
  )
  return rows.map(({ name, stream }) => ({ where: name, what: `${stream} is parked` }))
}

function followerOf({ name, customerId, since, messages }: LiveClient) {
  const received = messages.map(({ position, orderId }) => ({
    position: Number(position),
    orderId,
  }))
  return { name, customerId, since, received }
}

/** There are as many orders as were acknowledged, and perhaps those that were given up. */
async function wrongCounts(client: pg.Client, { placed, abandoned }: Traffic): Promise<string[]> {
  const { rows } = await client.query<{ count: string }>(
    "select count(*) from log where type = 'OrderPlaced'",
  )
  const count = Number(rows[0]?.count)
  const ids = placed.map(({ orderId }) => orderId)
  const isTwice = new Set(ids).size < ids.length
  const isWrong = count < ids.length || count > ids.length + abandoned
  return [
    ...(isTwice ? ['two requests were answered with one order'] : []),
    ...(isWrong ? [`${count} orders, ${ids.length} acknowledged, ${abandoned} abandoned`] : []),
  ]
}

/**
 * Each number is of one order, and higher than those of orders that were in the log a second before
 * it was asked for.
 */
async function wrongNumbers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ finding: string }>(`
    with numbered as (
      select data ->> 'orderNumber' as number, recorded_at,
        (metadata ->> 'at')::timestamptz as asked_at,
        left(replace(data ->> 'orderNumber', '-', ''), -1)::bigint as serial
      from log where type = 'OrderSubmitted'
    )
    select number || ' is the number of ' || count(*) || ' orders' as finding
    from numbered group by number having count(*) > 1
    union all
    select later.number || ' was given a second after ' || earlier.number
    from numbered earlier join numbered later
      on later.asked_at >= earlier.recorded_at + interval '1 second'
      and later.serial < earlier.serial
  `)
  return rows.map(({ finding }) => finding)
}

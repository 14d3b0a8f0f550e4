// Sending what is due: what one address, a server that is away, a database that is away and a
// process that was stopped for a while do to the other mails.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMailer } from '../../src/infra/mail/mailer.ts'
import {
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../../src/infra/postgres/database.ts'
import { redisOptions } from '../../src/infra/redis/redis.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { noMetrics } from '../../src/ports/metrics.ts'
import { noTracing } from '../../src/ports/tracing.ts'
import type { DraftFor } from '../../src/workers/reactions/mail/draft.ts'
import type { MailLimits } from '../../src/workers/reactions/mail/limits.ts'
import { startMailWorker } from '../../src/workers/reactions/mail/mailWorker.ts'
import { createOutage } from '../../src/workers/reactions/mail/outage.ts'
import { createMailQueue, type MailQueue } from '../../src/workers/reactions/mail/queue.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { type MailServerRules, scriptedMailServer } from '../support/mailServer.ts'
import { testRedis } from '../support/redis.ts'
import { waitFor } from '../support/waitFor.ts'

let database: TestDatabase
let redis: Awaited<ReturnType<typeof testRedis>>
let pool: Pool
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  redis = await testRedis()
  pool = createPool(database.url)
  db = createDatabase(pool)
})
afterAll(async () => {
  await pool?.end()
  await redis?.release()
  await database?.drop()
})
beforeEach(() => pool.query('delete from shop.mails'))

/** A mail to an address: its id is in the order's place, so that the draft finds it. */
async function queueTo(...addresses: string[]): Promise<string[]> {
  const ids: string[] = []
  for (const address of addresses) {
    const id = randomUUID()
    addressOf.set(id, address)
    ids.push(id)
    await pool.query(
      `insert into shop.mails (event_id, template, order_id, queued_at)
      values ($1, 'order-paid', $1, clock_timestamp())`,
      [id],
    )
  }
  return ids
}

const addressOf = new Map<string, string>()

const draftFor: DraftFor = async ({ event_id }) => {
  const to = addressOf.get(event_id) ?? ''
  const mail = { id: event_id, to, subject: 'Paid', text: 'Paid', html: '<p>Paid</p>' }
  return { recipient: to, isConfirmed: false, finish: async () => ({ mail }) }
}

interface Options {
  queue?: (queue: MailQueue) => MailQueue
  limits?: MailLimits
  url?: string
}

/** A lane of its own, and what it logs. */
function startLane(url: string, { queue = same => same, limits }: Options = {}) {
  const lines: string[] = []
  const write = (level: string) => (about: object, text: string) =>
    void lines.push(`${level} ${text} ${JSON.stringify(about)}`)
  const log = { info: write('info'), warn: write('warn'), error: write('error') }
  const mailer = createMailer(url, 'shop@example.com')
  const outage = createOutage(log)
  const lane = startMailWorker({
    account: false,
    queue: queue(createMailQueue(db)),
    draftFor,
    mailer,
    outage,
    limits,
    connection: redisOptions(redis.url),
    metrics: noMetrics,
    tracing: noTracing,
    log,
  })
  const close = async () => {
    await lane.close()
    outage.stop()
    await mailer.close()
  }
  return { lines, close, notify: lane.notify }
}

async function states(): Promise<Record<string, number>> {
  const { rows } = await pool.query<{ state: string; mails: number }>(
    'select state, count(*)::integer as mails from shop.mails group by state',
  )
  return Object.fromEntries(rows.map(({ state, mails }) => [state, mails]))
}

/** A lane that sends to a server of its own, until the end of the work. */
async function sending(
  rules: MailServerRules,
  options: Options,
  work: (on: { lane: ReturnType<typeof startLane>; server: Server }) => Promise<void>,
) {
  const server = await scriptedMailServer(rules)
  const lane = startLane(server.url, options)
  try {
    await work({ lane, server })
  } finally {
    await lane.close()
    await server.stop()
  }
}

type Server = Awaited<ReturnType<typeof scriptedMailServer>>

const isDead = (address: string) => address.startsWith('dead')

describe('addresses that the server refuses', () => {
  it('are given up, do not keep other mails, and are in no log', async () => {
    const dead = Array.from({ length: 150 }, (_, index) => `dead${index}@example.com`)
    await queueTo(...dead, 'alive@example.com')
    const refuse = (address: string) => (isDead(address) ? 550 : undefined)
    await sending({ refuse }, {}, async ({ lane, server }) => {
      lane.notify()
      await waitFor('the mail behind them', () => server.taken.length === 1, 60_000)
      await waitFor('their end', async () => (await states()).undeliverable === 150, 60_000)
      expect(server.asked.filter(isDead)).toHaveLength(150)
      const { rows } = await pool.query('select distinct last_error, attempts from shop.mails')
      expect(rows).toContainEqual({ last_error: 'SMTP 550 5.1.1', attempts: 1 })
      const given = lane.lines.filter(line => line.startsWith('error mail undeliverable'))
      expect(given).toHaveLength(150)
      expect(given[0]).toContain('"error":"SMTP 550 5.1.1"')
      expect(lane.lines.join()).not.toContain('@')
    })
  }, 130_000)

  it('for the moment, are tried again later, and nothing waits for them', async () => {
    await queueTo('busy@example.com', 'alive@example.com')
    const refuse = (address: string) => (address.startsWith('busy') ? 450 : undefined)
    await sending({ refuse }, {}, async ({ server }) => {
      await waitFor('the other', () => server.taken.length === 1)
      await waitFor('the retry', async () => (await states()).retrying === 1)
      const { rows } = await pool.query<{ wait: number }>(
        `select extract(epoch from due_at - failed_since)::float8 as wait
        from shop.mails where state = 'retrying'`,
      )
      expect(rows[0]?.wait).toBeGreaterThanOrEqual(60)
      expect(rows[0]?.wait).toBeLessThanOrEqual(75)
    })
  })

  it('are refused as well when that turns out after the mail was sent', async () => {
    await queueTo('dead@example.com')
    await sending({ refuseText: () => 554 }, {}, async () => {
      await waitFor('its end', async () => (await states()).undeliverable === 1)
    })
  })
})

describe('a mail server that is away', () => {
  it('costs no mail an attempt, and gets all of them within seconds of its return', async () => {
    await queueTo(...Array.from({ length: 30 }, (_, index) => `p${index}@example.com`))
    const port = await freePort()
    const lane = startLane(`smtp://127.0.0.1:${port}`)
    try {
      await waitFor('a failed attempt', () => lane.lines.length > 0)
      expect(lane.lines[0]).toContain('mail server away')
      const server = await scriptedMailServer({}, port)
      await waitFor('all of them', () => server.taken.length === 30, 15_000)
      await waitFor('their end', async () => (await states()).sent === 30)
      const { rows } = await pool.query('select distinct attempts from shop.mails')
      expect(rows).toEqual([{ attempts: 1 }])
      expect(lane.lines.filter(line => line.includes('mail server away'))).toHaveLength(1)
      expect(lane.lines.at(-1)).toContain('mail server back')
      await server.stop()
    } finally {
      await lane.close()
    }
  }, 30_000)
})

describe('a database that cannot be written to while mails are sent', () => {
  it('hears of them afterwards, and none goes out twice', async () => {
    let failures = 4
    const unsettled = (queue: MailQueue): MailQueue => ({
      ...queue,
      async record(outcomes) {
        failures -= 1
        if (failures >= 0) throw Object.assign(new Error('terminated'), { code: '57P01' })
        await queue.record(outcomes)
      },
    })
    await queueTo(...Array.from({ length: 9 }, (_, index) => `p${index}@example.com`))
    await sending({}, { queue: unsettled }, async ({ lane, server }) => {
      await waitFor('all of them', async () => (await states()).sent === 9)
      expect(server.taken.map(({ to }) => to).sort()).toEqual(
        Array.from({ length: 9 }, (_, index) => `p${index}@example.com`),
      )
      expect(lane.lines.join()).toContain('57P01')
    })
  })
})

describe('a process that was stopped while it had the claim', () => {
  it('does not send what another has sent meanwhile', async () => {
    const [id] = await queueTo('slow@example.com')
    const claimed: PromiseWithResolvers<void> = Promise.withResolvers()
    const resumed: PromiseWithResolvers<void> = Promise.withResolvers()
    // It comes back from its claim when that has run out, and could not renew it.
    const stopped = (queue: MailQueue): MailQueue => ({
      ...queue,
      claimSeconds: 0.001,
      renew: async () => undefined,
      async claim(mails) {
        const claims = await queue.claim(mails)
        claimed.resolve()
        await resumed.promise
        return claims
      },
    })
    await sending({}, { queue: stopped }, async ({ lane, server }) => {
      await claimed.promise
      await pool.query('update shop.mails set claimed_until = now()')
      const other = createMailQueue(db)
      const key = { event_id: id ?? '', template: 'order-paid', order_id: id ?? '' } as const
      expect(await other.claim([{ key, recipient: null }])).toHaveLength(1)
      resumed.resolve()
      await waitFor('its end', () => lane.lines.join().includes('CLAIM_EXPIRED'))
      expect(server.taken).toEqual([])
      await other.record([{ key, state: 'sent', why: null }])
      expect(await states()).toEqual({ sent: 1 })
    })
  })

  it('is stopped at the last moment by the mailer as well', async () => {
    const server = await scriptedMailServer()
    const mailer = createMailer(server.url, 'shop@example.com')
    const mail = { id: 'late', to: 'p@example.com', subject: 's', text: 't', html: 'h' }
    expect(await mailer.send(mail, 0)).toMatchObject({ accepted: false, kind: 'lost' })
    expect(server.asked).toEqual(['p@example.com'])
    expect(server.taken).toEqual([])
    expect(await mailer.send(mail, 10_000)).toEqual({ accepted: true })
    expect(server.taken.map(({ messageId }) => messageId)).toEqual(['late@example.com'])
    await mailer.close()
    await server.stop()
  })
})

describe('a server that goes silent', () => {
  it.each([
    ['before it greets', '', { connectMs: 300, silenceMs: 60_000 }],
    ['once it has greeted', '220 ready\r\n', { connectMs: 60_000, silenceMs: 300 }],
  ])(
    '%s is not waited for without end',
    async (_, greeting, timeouts) => {
      const sockets: Socket[] = []
      const server = createServer(socket => {
        sockets.push(socket.on('error', () => undefined))
        if (greeting !== '') socket.write(greeting)
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const address = server.address()
      const port = typeof address === 'object' ? address?.port : undefined
      const mailer = createMailer(`smtp://127.0.0.1:${port}`, 'shop@example.com', timeouts)
      const mail = { id: 'none', to: 'p@example.com', subject: 's', text: 't', html: 'h' }
      expect(await mailer.send(mail, 60_000)).toMatchObject({ accepted: false, kind: 'server' })
      await mailer.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    },
    15_000,
  )
})

describe('a server that takes long to say that it has a mail', () => {
  it('is waited for, and the claim is kept meanwhile', async () => {
    const taken: PromiseWithResolvers<void> = Promise.withResolvers()
    const answer: PromiseWithResolvers<void> = Promise.withResolvers()
    const hold = () => {
      taken.resolve()
      return answer.promise
    }
    await queueTo('p@example.com')
    const brief = () => createMailQueue(db, { claimSeconds: 2 })
    await sending({ hold }, { queue: brief }, async ({ server }) => {
      await taken.promise
      const until = async () => {
        const { rows } = await pool.query('select claimed_until from shop.mails')
        return rows[0]?.claimed_until?.getTime()
      }
      const first = await until()
      await waitFor('a renewed claim', async () => (await until()) > first + 2_000)
      answer.resolve()
      await waitFor('its end', async () => (await states()).sent === 1)
      expect(server.taken).toHaveLength(1)
    })
  })
})

describe('mails that were claimed together with slow ones', () => {
  it('are given back, go out later, and have not failed', async () => {
    await queueTo('a@example.com', 'b@example.com', 'c@example.com', 'd@example.com')
    let isFirst = true
    const brief = (queue: MailQueue): MailQueue => ({
      ...queue,
      get claimSeconds() {
        return isFirst ? 2 : queue.claimSeconds
      },
    })
    const hold = async () => {
      const beganAt = performance.now()
      if (isFirst) await waitFor('an old claim', () => performance.now() > beganAt + 1_600)
      isFirst = false
    }
    await sending({ hold }, { queue: brief }, async ({ lane, server }) => {
      await waitFor('the end', async () => (await states()).sent === 4)
      expect(server.taken).toHaveLength(4)
      expect(lane.lines).toEqual([])
    })
    const { rows } = await pool.query('select distinct attempts from shop.mails')
    expect(rows).toEqual([{ attempts: 1 }])
  })
})

describe('a recipient who has had enough', () => {
  it('waits, and nobody else does', async () => {
    const limits = { perHour: 60, unconfirmedPerDay: 2 }
    await queueTo(...Array.from({ length: 5 }, () => 'victim@example.com'), 'other@example.com')
    await sending({}, { limits }, async ({ server }) => {
      await waitFor('the end', async () => (await states()).sent === 3)
      await waitFor('the others to wait', async () => {
        const { rows } = await pool.query(
          `select event_id from shop.mails
          where state = 'due' and due_at > now() + interval '9 minutes'
            and last_error = 'RECIPIENT_LIMIT'`,
        )
        return rows.length === 3
      })
      expect(server.taken.map(({ to }) => to).sort()).toEqual([
        'other@example.com',
        'victim@example.com',
        'victim@example.com',
      ])
    })
  })
})

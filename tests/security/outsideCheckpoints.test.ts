// Somebody rewrites the log together with what the shop keeps about it: checkpoints that were
// kept elsewhere, and the verifier that runs without a shop, find it (RELIABILITY.md §7.4).

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { openCheckpoint } from '../../src/infra/audit/checkpointSeals.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { startOfLog } from '../../src/kit/position.ts'
import { startApp } from '../../src/main/start.ts'
import { checkExport, faultLines } from '../../src/workers/audit/exportCheck.ts'
import { extendChain, startAuditChain } from '../../src/workers/jobs/auditChain.ts'
import { type Caught, caughtMails } from '../support/caughtMails.ts'
import { type Export, takeExport, verifyExport } from '../support/exports.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { moved, positionAt } from '../support/positions.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let auditor: Person
let directory = ''
let before: Export
/** Where the last checkpoint is, the one before it, and an event between them. */
const at = { last: startOfLog, previous: positionAt(0), between: positionAt(0) }

beforeAll(async () => {
  app = await startTestApp({ workers: false })
  auditor = await app.person('auditor')
  const customer = await app.person()
  const { id } = await newProduct(app, { stock: 100 })
  await newOrder(customer, id)
  await extendChain(app.back)
  at.previous = await app.back.eventStore.head()
  await newOrder(customer, id)
  await newOrder(customer, id)
  await extendChain(app.back)
  at.last = await app.back.eventStore.head()
  at.between = moved(at.last, -1)
  before = await takeExport(app.url, auditor.access)
  directory = await temporaryDirectory()
  await writeFile(join(directory, 'outside.ndjson'), before.checkpoints)
  await app.back.pool.query(`
    create schema saved;
    create table saved.events as select * from eventstore.events;
    create table saved.checkpoints as select * from shop.audit_checkpoints;
  `)
}, 90_000)
afterAll(async () => {
  await app?.close()
  await rm(directory, { recursive: true, force: true })
})

const outside = () => ['--outside', join(directory, 'outside.ndjson')]

/** What a superuser of the database changes, for as long as `look` takes. */
async function tampered<T>(statements: readonly string[], look: () => Promise<T>): Promise<T> {
  const session = await app.back.pool.connect()
  try {
    await session.query('set session_replication_role = replica')
    for (const statement of statements) await session.query(statement)
    return await look()
  } finally {
    await session.query(`
      delete from eventstore.events;
      insert into eventstore.events select * from saved.events;
      delete from shop.audit_checkpoints;
      insert into shop.audit_checkpoints select * from saved.checkpoints;
    `)
    session.release(true)
  }
}

const newestGone = () => `delete from shop.audit_checkpoints where position = ${at.last}`
const edit = () => `update eventstore.events
  set recorded_at = recorded_at - interval '1 hour' where position = ${at.between}`

describe('with checkpoints that were kept elsewhere', () => {
  it('an export of a log that nobody has touched is in order', async () => {
    const { code, output } = await verifyExport(before, outside())
    expect(output).toMatch(/^OK: \d+ events up to position \d+ are as signed/)
    expect(code).toBe(0)
  })

  it.each<[string, () => string[], { alone: number; offline: RegExp; http: string }]>([
    [
      'an event that was changed',
      () => [edit()],
      { alone: 1, offline: /changed/, http: 'changed' },
    ],
    [
      'an event that was deleted',
      () => [`delete from eventstore.events where position = ${at.between}`],
      { alone: 1, offline: /missing/, http: 'missing' },
    ],
    [
      'an event that was changed, with the checkpoint that says so',
      () => [edit(), newestGone()],
      { alone: 0, offline: /went-back/, http: 'went-back' },
    ],
    [
      'the end of the log, cut off with its checkpoint',
      () => [`delete from eventstore.events where position > ${at.previous}`, newestGone()],
      { alone: 0, offline: /went-back/, http: 'went-back' },
    ],
    [
      'the checkpoint alone',
      () => [newestGone()],
      { alone: 0, offline: /went-back/, http: 'went-back' },
    ],
  ])('is found: %s', async (_, statements, expected) => {
    await tampered(statements(), async () => {
      const after = await takeExport(app.url, auditor.access)
      // What the shop itself says cannot tell it where its checkpoints have gone, too.
      expect((await verifyExport(after)).code).toBe(expected.alone)
      const { code, output } = await verifyExport(after, outside())
      expect(output).toMatch(expected.offline)
      expect(code).toBe(1)
      const { body } = await auditor.client.get('/audit/verify')
      expect(body).toMatchObject({ ok: false })
      expect(JSON.stringify(body)).toContain(expected.http)
    })
  })

  it('is found: a checkpoint elsewhere that somebody else has signed', async () => {
    const [line = ''] = before.checkpoints.trim().split('\n')
    const { position, signed } = JSON.parse(line)
    const file = join(directory, 'forged.ndjson')
    await writeFile(file, JSON.stringify({ position, signed: `${signed.slice(0, -8)}AAAAAAAA` }))
    const { code, output } = await verifyExport(before, ['--outside', file])
    expect(output).toMatch(/forged-checkpoint/)
    expect(code).toBe(1)
  })
})

/** What the verifier finds in an export with other events, without a process of its own. */
async function faultsOf(events: string | Buffer): Promise<string> {
  const file = async (name: string, content: string | Buffer) => {
    await writeFile(join(directory, name), content)
    return join(directory, name)
  }
  const files = {
    events: await file('events.ndjson', events),
    checkpoints: await file('checkpoints.ndjson', before.checkpoints),
    keys: await file('keys.json', before.keys),
  }
  return faultLines(await checkExport(files, openCheckpoint)).join('\n')
}

describe('an export that was damaged on its way', () => {
  const lines = () => String(before.events).trim().split('\n')
  const middle = () => Math.floor(lines().length / 2)
  const joined = (each: readonly string[]) => `${each.join('\n')}\n`
  const cut = (text: string, share: number) => text.slice(0, Math.floor(text.length * share))
  const positionAt = (index: number) => JSON.parse(lines()[index] ?? '{}').position

  it.each<[string, () => string | Buffer]>([
    ['with CRLF', () => lines().join('\r\n')],
    ['with a byte order mark', () => `\uFEFF${before.events}`],
    ['with empty lines', () => lines().join('\n\n')],
    ['compressed', () => gzipSync(before.events)],
  ])('is in order all the same: %s', async (_, events) => {
    expect(await faultsOf(events())).toBe('')
  })

  it.each<[string, () => string | Buffer, () => RegExp]>([
    [
      'without its beginning',
      () => joined(lines().slice(3)),
      () => /^missing at position 1: 3 events are missing/,
    ],
    [
      'without its end',
      () => joined(lines().slice(0, -3)),
      () => new RegExp(`missing at position ${positionAt(lines().length - 3)}: 3 events`),
    ],
    [
      'cut off in the middle of a line',
      () => cut(joined(lines()), 0.5),
      () => /line \d+ is cut off[\s\S]*missing at position \d+/,
    ],
    [
      'compressed and cut off',
      () => gzipSync(before.events).subarray(0, -2_000),
      () => /line \d+ cannot be unpacked[\s\S]*missing at position \d+/,
    ],
    [
      'with two lines that have changed places',
      () =>
        joined(
          lines()
            .with(4, lines()[5] ?? '')
            .with(5, lines()[4] ?? ''),
        ),
      () => new RegExp(`^reordered at position ${positionAt(4)}: .*\\n1 fault`),
    ],
    [
      'with a line that is there twice',
      () => joined(lines().toSpliced(middle(), 0, lines()[middle()] ?? '')),
      () => new RegExp(`^added at position ${positionAt(middle())}: This event is there twice`),
    ],
    [
      'with a line that comes much later once more',
      () => joined([...lines(), lines()[0] ?? '']),
      () => /^reordered at position 1: It comes behind the checkpoint/,
    ],
    [
      'with a line of other text',
      () => joined(lines().toSpliced(middle(), 0, 'Internal Server Error')),
      () => new RegExp(`line ${middle() + 1} is not JSON.*behind position .*\\n1 fault`),
    ],
    [
      'with a line that is no event',
      () => joined(lines().toSpliced(2, 0, '{"position":"3"}')),
      () => /line 3 is no event, behind position 2\n1 fault/,
    ],
    [
      'with a line of a hundred megabytes',
      () => joined(lines().toSpliced(2, 0, `{"position":"3","data":"${'x'.repeat(1e8)}"}`)),
      () => /line 3 is too long for an event, behind position 2\n1 fault/,
    ],
  ])('says what and where: %s', async (_, events, told) => {
    expect(await faultsOf(events())).toMatch(told())
  })

  it('says so of a list of checkpoints that is cut off', async () => {
    const { code, output } = await verifyExport({
      ...before,
      checkpoints: before.checkpoints.slice(0, -40),
    })
    expect(output).toMatch(/checkpoints.ndjson line \d+ is cut off/)
    expect(output).not.toMatch(/\n +at /)
    expect(code).toBe(1)
  })
})

describe('a worker', () => {
  const auditorAddress = 'auditor@example.org'
  /** What a worker shows and mails that runs until `isDone`. */
  async function workUntil(isDone: (mails: Caught[]) => boolean) {
    const port = await freePort()
    const more = { AUDIT_MAIL_TO: auditorAddress, METRICS_PORT: String(port) }
    const config = loadConfig({ ...app.env, ...more })
    const worker = await startApp(config, { api: false, workers: true })
    try {
      const mails = await waitFor('the mail to the auditor', async () => {
        const all = await caughtMails(app.mailFolder)
        const theirs = all.filter(({ deliveredTo }) => deliveredTo.includes(auditorAddress))
        return isDone(theirs) ? theirs : undefined
      })
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      const alarm = /^orderstream_audit_alarm(?:\{.*\})? (\d)/m.exec(metrics)?.[1]
      return { mails, alarm }
    } finally {
      await worker.close()
    }
  }

  it('mails the newest checkpoint, in a form that proves an export', async () => {
    const { mails, alarm } = await workUntil(all => all.length > 0)
    const [mail] = mails
    expect(mail?.subject).toContain(`checkpoint ${at.last} of the log`)
    expect(alarm).toBe('0')
    const kept = /^\{"position".*\}$/m.exec(mail?.text ?? '')?.[0] ?? ''
    const file = join(directory, 'mailed.ndjson')
    await writeFile(file, kept)
    expect((await verifyExport(before, ['--outside', file])).code).toBe(0)
    await tampered([edit(), newestGone()], async () => {
      const after = await takeExport(app.url, auditor.access)
      expect((await verifyExport(after, ['--outside', file])).output).toMatch(/went-back/)
    })
  })

  it('sounds the alarm by mail, metric and log, and signs nothing', async () => {
    await tampered([edit(), newestGone()], async () => {
      const tampering = (all: Caught[]) => all.filter(mail => mail.subject.includes('tampered'))
      const { mails, alarm } = await workUntil(all => tampering(all).length > 0)
      const [mail] = tampering(mails)
      expect(mail?.text).toContain(`went-back at position ${at.last}`)
      expect(mail?.text).toContain('docs/audit.md')
      expect(alarm).toBe('1')
      const lines: object[] = []
      const write = (fields: object) => void lines.push(fields)
      const log = { info: write, warn: write, error: write }
      const chain = startAuditChain({ ...app.back, log })
      await waitFor('the line', async () => lines.length > 0 || undefined)
      await chain.stop()
      expect(lines[0]).toMatchObject({ event: 'audit-alarm', problem: 'went-back' })
      expect((await app.back.audit.book.last())?.position).toBe(at.previous)
    })
  })
})

// A shop on the oldest supported PostgreSQL that is installed: what newer versions have is missing.
import { existsSync } from 'node:fs'
import { chown, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { run, spawnServer, stopProcess } from '../../tools/local/processes.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { runProgram } from '../support/programs.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { startTestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

/** Where Debian and Ubuntu have them, the oldest version first. */
const places = [15, 16, 17].map(version => `/usr/lib/postgresql/${version}/bin`)
const { POSTGRES_BIN } = process.env
const programs = [...(POSTGRES_BIN ? [POSTGRES_BIN] : places)].find(isInstalled)
const nobody = { uid: 65_534, gid: 65_534 }
const closers: (() => Promise<unknown>)[] = []

if (programs === undefined) {
  it.skip(`a shop on an old PostgreSQL: POSTGRES_BIN is not set and none of ${places} is there`)
} else {
  describe(`a shop on the PostgreSQL in ${programs}`, () => {
    afterAll(async () => {
      for (const close of closers.reverse()) await close()
    }, 60_000)

    it('starts, sells, starts again, is audited and copied', () => startAndSell(programs), 90_000)
  })
}

function isInstalled(place: string): boolean {
  return existsSync(join(place, 'initdb')) && existsSync(join(place, 'postgres'))
}

async function startAndSell(place: string) {
  const { directory, url } = await serverOf(place)
  const app = await startTestApp({ settings: { DATABASE_URL: url } })
  closers.push(app.close)
  const { id: product } = await newProduct(app)
  const { body: order } = await newOrder(await app.person(), product)
  await app.restart()
  await waitFor('the order', async () => {
    const found = await app.admin.client.get(`/orders/${order.id}`)
    return found.status === 200
  })
  const backup = await runProgram(['tools/backup.ts', join(directory, 'copy')], app.env)
  expect(backup, backup.stderr).toMatchObject({ code: 0 })
  const audit = await runProgram(['tools/audit.ts'], app.env)
  expect(audit, audit.stdout + audit.stderr).toMatchObject({ code: 0 })
}

/** A server of its own, with an empty database whose owner is no superuser. */
async function serverOf(place: string) {
  const directory = await temporaryDirectory()
  closers.push(() => rm(directory, { recursive: true, force: true, maxRetries: 20 }))
  const cluster = join(directory, 'cluster')
  await mkdir(cluster, { mode: 0o700 })
  const account = process.getuid?.() === 0 ? nobody : undefined
  if (account !== undefined) await chown(cluster, account.uid, account.gid)
  const made = ['-D', cluster, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']
  expect(run(join(place, 'initdb'), made, { account })).toMatchObject({ ok: true })
  const port = await freePort()
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', `port=${port}`]
  const logFile = join(directory, 'server.log')
  const args = ['-D', cluster, ...settings.flatMap(each => ['-c', each])]
  const { pid } = await spawnServer(join(place, 'postgres'), args, { logFile, account })
  closers.push(() => stopProcess(pid, [{ signal: 'SIGINT', waitMs: 30_000 }]))
  const server = `postgres://postgres@127.0.0.1:${port}/postgres`
  await waitFor('PostgreSQL', () =>
    ask(server, 'select 1').then(
      () => true,
      () => false,
    ),
  )
  await ask(server, 'create role shop login')
  await ask(server, 'create database shop owner shop')
  return { directory, url: `postgres://shop@127.0.0.1:${port}/shop` }
}

async function ask(connectionString: string, text: string) {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

// The whole shop in this process, on servers of its own, with people who use it over real HTTP.
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createAdmin } from '../../src/commands/account/accounts.ts'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { grantRole } from '../../src/commands/customer/customer.ts'
import { type Config, loadConfig } from '../../src/config/config.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import type { Role } from '../../src/domain/kernel/types.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { type AppServices, openServices } from '../../src/main/openServices.ts'
import { startApp } from '../../src/main/start.ts'
import { type MailCatcher, startMailCatcher } from '../../tools/local/mailCatcher.ts'
import { mailFolder } from '../../tools/local/mailFiles.ts'
import { type Client, createClient } from './apiClient.ts'
import { type Contract, fetchContract } from './apiContract.ts'
import { testDatabase } from './database.ts'
import { testRedis } from './redis.ts'
import { temporaryDirectory } from './servers.ts'

export interface Person {
  id: string
  username: string
  email: string
  access: string
  refresh: string
  client: Client
}

export interface TestApp {
  url: string
  mailsUrl: string
  /** Where the mail catcher keeps what it caught. */
  mailFolder: string
  config: Config
  /** The settings as a command of the command line takes them. */
  env: Record<string, string>
  contract: Contract
  /** Another door to the same log and database, for what HTTP does not offer. */
  back: AppServices
  anyone: Client
  admin: Person
  as(token: string): Client
  /** A new customer, or a new member of the staff. */
  person(...roles: Role[]): Promise<Person>
  /** Stops the API and the workers; everything else stays. */
  stop(): Promise<void>
  /** Stops and starts the API and the workers; everything else stays. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface TestAppOptions {
  /** Settings beside the servers. */
  settings?: Record<string, string>
  /** Default: both. */
  workers?: boolean
  /** Settings by which the API and the workers reach the servers, instead of those given. */
  through?: ((direct: Config) => Promise<Record<string, string>>) | undefined
}

export const password = 'correct horse battery staple'

/**
 * Starts a shop with one admin. Its database is its own; so is its part of Redis, where only the
 * wake-up channel is shared: a call too many costs one look at the database.
 */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const stop of closers.splice(0).reverse()) await stop()
  }
  for (let tries = 1; ; tries += 1) {
    try {
      return await start(options, closers, close)
    } catch (error) {
      await close()
      // A port that was free a moment ago can be somebody else's by now.
      if (tries === 3 || !String(error).includes('is in use')) throw error
    }
  }
}

async function start(
  { settings = {}, workers = true, through }: TestAppOptions,
  closers: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<TestApp> {
  const { env, direct, config, catcher, directory } = await surroundings(
    { settings, through },
    closers,
  )
  const back = await openServices(direct)
  closers.push(back.close)
  let running = await startApp(config, { api: true, workers })
  closers.push(() => running.close())
  const contract = await fetchContract(running.url)
  const made = await createAdmin(back.app, back.accounts, {
    username: 'admin',
    email: 'admin@example.com',
    password: async () => password,
  })
  if (isRejection(made)) throw new Error(made.detail)
  const app = {
    url: running.url,
    mailsUrl: catcher.webUrl,
    mailFolder: mailFolder(directory),
    config,
    env,
    contract,
    back,
    anyone: createClient(running.url, contract),
    as: (token: string) => createClient(running.url, contract, token),
    person: (...roles: Role[]) => newPerson(app, roles),
    stop: () => running.close(),
    async restart() {
      await running.close()
      running = await startApp(config, { api: true, workers })
    },
    close,
  }
  const admin = await logIn(app, 'admin', 'admin@example.com')
  return Object.assign(app, { admin })
}

interface Surroundings {
  direct: Config
  catcher: MailCatcher
  directory: string
}

async function surroundings(
  { settings = {}, through }: Pick<TestAppOptions, 'settings' | 'through'>,
  closers: (() => Promise<unknown>)[],
): Promise<Pick<TestApp, 'env' | 'config'> & Surroundings> {
  const directory = await temporaryDirectory()
  closers.push(() => rm(directory, { recursive: true, force: true }))
  const database = await testDatabase()
  closers.push(database.drop)
  const redis = await testRedis()
  closers.push(redis.release)
  const catcher = await startMailCatcher({ directory })
  closers.push(catcher.stop)
  const direct = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SMTP_URL: catcher.smtpUrl,
    SECRET_KEY: randomBytes(32).toString('hex'),
    // Its own for good: clients find it again after a restart.
    PORT: `${await freePort()}`,
    RATE_LIMITS: 'off',
    FILES_DIR: join(directory, 'files'),
    AUDIT_DIR: join(directory, 'audit'),
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    ...settings,
  }
  const config = load(direct)
  const reached = through === undefined ? config : load({ ...direct, ...(await through(config)) })
  return { env: direct, direct: config, config: reached, catcher, directory }
}

/** With the quickest password hashes that bcrypt knows: tests make hundreds. */
const load = (env: Record<string, string>): Config => ({ ...loadConfig(env), passwordCost: 4 })

type Started = Pick<TestApp, 'anyone' | 'as' | 'back'>

async function newPerson(app: Started, roles: readonly Role[]): Promise<Person> {
  const username = `p-${randomBytes(5).toString('hex')}`
  const email = `${username}@example.com`
  const { body } = await app.anyone.post('/auth/register', { username, email, password })
  const person = personOf(app, username, email, body)
  if (roles.length === 0) return person
  for (const role of roles) {
    const envelope = systemEnvelope('test', new Date())
    await execute(app.back.app, grantRole, { customerId: person.id, role }, envelope)
  }
  return logIn(app, username, email)
}

async function logIn(app: Started, username: string, email: string): Promise<Person> {
  const { body } = await app.anyone.post('/auth/login', { username, password })
  return personOf(app, username, email, body)
}

function personOf(app: Started, username: string, email: string, body: object): Person {
  if (!isSignedIn(body)) throw new Error(`not signed in: ${JSON.stringify(body)}`)
  const { user, tokens } = body
  return { id: user.id, username, email, ...tokens, client: app.as(tokens.access) }
}

function isSignedIn(
  body: object,
): body is { user: { id: string }; tokens: { access: string; refresh: string } } {
  return 'user' in body && 'tokens' in body
}

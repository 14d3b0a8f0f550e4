// Settings: what is accepted, what is refused and how, and that nothing secret can be printed.
import { readFile, writeFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { loadConfig, settings } from '../src/config/config.ts'
import { readFacts } from '../src/infra/audit/catalogFacts.ts'
import { catalogFile, writtenFacts } from '../src/infra/audit/catalogGuard.ts'
import { createPool } from '../src/infra/postgres/database.ts'
import { testDatabase } from './support/database.ts'

const required = {
  DATABASE_URL: 'postgres://shop:hunter2@db:5432/shop',
  REDIS_URL: 'redis://:hunter2@cache:6379',
  SMTP_URL: 'smtp://shop:hunter2@mail:587',
  SECRET_KEY: 'hunter2-'.repeat(6),
}

const faultsOf = (env: NodeJS.ProcessEnv): string[] => {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    return error instanceof Error ? error.message.split('\n') : []
  }
}

describe('an environment with the required settings', () => {
  it('gets a default for every other one', () => {
    expect(loadConfig(required)).toMatchObject({
      eventStoreUrl: undefined,
      streamPrefix: '',
      host: '127.0.0.1',
      port: 3000,
      publicUrl: 'http://127.0.0.1:3000',
      logLevel: 'info',
      shopName: 'Orderstream',
      timeZone: 'UTC',
      mailLanguage: 'en',
      currency: 'GBP',
      mailFrom: 'Orderstream <orders@example.com>',
      accessTokenTtlSeconds: 300,
      refreshTokenTtlSeconds: 2_592_000,
      corsOrigins: [],
      trustProxy: [],
      databasePoolSize: 10,
      rateLimits: 'on',
      rateLimitWrites: 600,
      rateLimitFailedLogins: 10,
    })
  })

  it('treats an empty variable as an absent one', () => {
    expect(loadConfig({ ...required, PORT: '', CURRENCY: ' ' })).toMatchObject({
      port: 3000,
      currency: 'GBP',
    })
  })

  it.each([
    ['shop1.', true],
    ['Staging_2-', true],
    ['$shop', false],
    ['shop 1', false],
    ['order-', false],
    ['order-eu', false],
    ['a.order-', false],
    ['a.openOrders-b.', false],
    ['a.b.', true],
    ['orders-', true],
    ['x'.repeat(101), false],
  ])('takes %s as a prefix of streams: %s', (prefix, isGood) => {
    const env = { ...required, EVENTSTORE_STREAM_PREFIX: prefix }
    if (isGood) expect(loadConfig(env).streamPrefix).toBe(prefix)
    else
      expect(faultsOf(env).join()).toMatch(
        /EVENTSTORE_STREAM_PREFIX is not valid.*may not contain the beginning of a stream/,
      )
  })

  it('splits lists at commas', () => {
    const config = loadConfig({
      ...required,
      CORS_ORIGINS: 'https://a.example, http://localhost:5173',
      TRUST_PROXY: '10.0.0.0/8,::1',
    })
    expect(config.corsOrigins).toEqual(['https://a.example', 'http://localhost:5173'])
    expect(config.trustProxy).toEqual(['10.0.0.0/8', '::1'])
  })

  it.each([
    ['0.0.0.0', 'http://localhost:80'],
    ['::1', 'http://[::1]:80'],
    ['shop.local', 'http://shop.local:80'],
  ])('derives a public URL from HOST=%s', (HOST, publicUrl) => {
    expect(loadConfig({ ...required, HOST, PORT: '80' }).publicUrl).toBe(publicUrl)
  })

  it('cannot be changed afterwards', () => {
    const config = loadConfig(required)
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError)
    expect(Object.isFrozen(config.corsOrigins)).toBe(true)
  })
})

describe('an environment with faults', () => {
  it('is refused with every fault at once, one line each', () => {
    const faults = faultsOf({
      DATABASE_URL: 'mysql://db/shop',
      SECRET_KEY: 'too short',
      EVENTSTORE_URL: 'http://store:2113',
      PORT: '65536',
      PUBLIC_URL: 'shop',
      LOG_LEVEL: 'loud',
      CURRENCY: 'pounds',
      ACCESS_TOKEN_TTL_SECONDS: '5m',
      CORS_ORIGINS: 'https://a.example/path',
      TRUST_PROXY: 'loopback',
      DATABASE_POOL_SIZE: '0',
    })
    expect(faults.map(line => line.split(':')[0])).toEqual([
      'DATABASE_URL is not valid',
      'REDIS_URL is missing',
      'EVENTSTORE_URL is not valid',
      'SMTP_URL is missing',
      'SECRET_KEY is not valid',
      'PORT is not valid',
      'PUBLIC_URL is not valid',
      'LOG_LEVEL is not valid',
      'CURRENCY is not valid',
      'ACCESS_TOKEN_TTL_SECONDS is not valid',
      'CORS_ORIGINS is not valid',
      'TRUST_PROXY is not valid',
      'DATABASE_POOL_SIZE is not valid',
    ])
    expect(faults.every(line => / expected \S/.test(line))).toBe(true)
  })

  it.each(['XYZ', 'ABC', 'gbp', 'EURO', 'pounds'])('knows no currency %s', CURRENCY => {
    expect(faultsOf({ ...required, CURRENCY })).toEqual([
      'CURRENCY is not valid: expected an ISO 4217 code such as GBP',
    ])
  })

  it('needs the keys of Stripe when that is the provider, and only then', () => {
    const stripe = { ...required, PAYMENT_PROVIDER: 'stripe' }
    expect(faultsOf(stripe).map(line => line.split(':')[0])).toEqual([
      'STRIPE_SECRET_KEY is missing',
      'STRIPE_WEBHOOK_SECRET is missing',
    ])
    const keys = { STRIPE_SECRET_KEY: 'sk_test_hunter2hunter2', STRIPE_WEBHOOK_SECRET: 'hunter2' }
    const [fault = ''] = faultsOf({ ...stripe, ...keys })
    expect(fault).toMatch(/^STRIPE_WEBHOOK_SECRET is not valid/)
    expect(fault).not.toContain('hunter2')
    const whole = loadConfig({ ...stripe, ...keys, STRIPE_WEBHOOK_SECRET: 'whsec_hunter2hunter2' })
    expect(whole.stripe?.apiBase).toBe('https://api.stripe.com')
    expect(JSON.stringify(whole)).not.toContain('hunter2')
    expect(loadConfig(required).stripe).toBeUndefined()
  })

  it.each([
    ['63 hexadecimal digits', 'a'.repeat(63)],
    ['42 characters', 'z'.repeat(42)],
  ])('refuses a secret key of %s as too short', (_what, SECRET_KEY) => {
    expect(faultsOf({ ...required, SECRET_KEY })).toHaveLength(1)
  })

  it.each([
    ['DATABASE_URL', 'postgres://u:hunter2@a:5432,b:5432/shop', 'it names one host'],
    ['DATABASE_URL', 'postgres://u:hunter2@a,b/shop?target_session_attrs=primary', 'one host'],
    ['DATABASE_URL', 'postgres:///shop', 'neither a host nor the directory of a socket'],
    ['REDIS_URL', 'redis://:hunter2@a:6379,b:6379', 'it names one host'],
    ['REDIS_URL', 'redis+sentinel://:hunter2@a:26379/master', 'Sentinel is not asked'],
    ['CACHE_REDIS_URL', 'redis://a/cache', 'a number of a database ends it'],
    ['EVENTSTORE_URL', 'esdb://u:hunter2@a?nodePreference=follower', 'can only be leader'],
    ['EVENTSTORE_URL', 'esdb://a:2113?hunter2 =1', 'it has no option of that name'],
  ])('says what is wrong with an address: %s %s', (name, text, says) => {
    const faults = faultsOf({ ...required, [name]: text })
    expect(faults).toEqual([expect.stringContaining(`${name} is not valid: `)])
    expect(faults[0]).toContain(says)
    expect(faults[0]).not.toContain('hunter2')
  })

  it.each([
    ['DATABASE_URL', 'postgresql://shop@%2Frun%2Fpostgresql/shop'],
    ['DATABASE_URL', 'postgres:///shop?host=/run/postgresql&user=shop'],
    ['DATABASE_URL', 'postgres://u:p@[::1]:5432/shop?sslmode=verify-full&sslrootcert=ca.crt'],
    ['REDIS_URL', 'rediss://user:p%40ss@redis.example.com:6380/2'],
    ['EVENTSTORE_URL', 'esdb://a:2113,b:2113,c:2113?tls=true&tlsCaFile=ca.crt'],
    ['EVENTSTORE_URL', 'kurrentdb+discover://user:password@cluster.example.com'],
  ])('takes an address as the server documents it: %s %s', (name, text) => {
    expect(() => loadConfig({ ...required, [name]: text })).not.toThrow()
  })

  it('does not repeat a secret that it refuses', () => {
    expect(faultsOf({ ...required, DATABASE_URL: 'http://u:hunter2@db' }).join()).not.toContain(
      'hunter2',
    )
  })
})

describe('a secret', () => {
  it('shows itself to no one but reveal()', () => {
    const config = loadConfig(required)
    const printed = [
      JSON.stringify(config),
      inspect(config),
      `${config.secretKey}`,
      String(config.smtpUrl),
    ]
    expect(printed.join()).not.toContain('hunter2')
    expect(config.databaseUrl.reveal()).toBe(required.DATABASE_URL)
  })
})

describe('payment methods', () => {
  const simulated = ['card', 'card_declined', 'card_needs_action', 'card_timeout', 'card_late']
  const stripe = {
    PAYMENT_PROVIDER: 'stripe',
    STRIPE_SECRET_KEY: 'sk_test_0123456789',
    STRIPE_WEBHOOK_SECRET: 'whsec_0123456789',
  }

  it.each([
    [{}, simulated],
    [stripe, ['card', 'pm_*']],
    [{ PAYMENT_METHODS: 'invoice, card' }, ['invoice', 'card']],
    [{ ...stripe, PAYMENT_METHODS: 'pm_*,bank_transfer' }, ['pm_*', 'bank_transfer']],
  ])('are those of the provider, or those that are set: %o', (env, methods) => {
    expect(loadConfig({ ...required, ...env }).ordering.paymentMethods).toEqual(methods)
  })

  it.each([
    { PAYMENT_METHODS: 'card,ledger' },
    { PAYMENT_METHODS: 'paypal' },
    { PAYMENT_METHODS: 'pm_*' },
    { ...stripe, PAYMENT_METHODS: 'card_late' },
  ])('cannot be others: %o', env => {
    expect(() => loadConfig({ ...required, ...env })).toThrow(/^PAYMENT_METHODS is not valid/)
  })
})

describe('.env.example', () => {
  it('lists every setting with its default, and DATA_DIR', async () => {
    const text = await readFile(new URL('../.env.example', import.meta.url), 'utf8')
    const listed = [...text.matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [
      name,
      value,
    ])
    const known = settings.map(({ name, default: value }) => [name, value])
    expect(listed).toEqual([...known, ['DATA_DIR', '.data']])
  })

  it('has a comment above each', async () => {
    const text = await readFile(new URL('../.env.example', import.meta.url), 'utf8')
    const entries = text.trim().split('\n\n').slice(1)
    expect(entries.filter(entry => !/^# \S.*\n#?[A-Z_]+=.*$/s.test(entry))).toEqual([])
  })
})

describe('migrations/catalogue.txt', () => {
  it('is what the migrations make: UPDATE_GOLDEN=1 writes it', async () => {
    const database = await testDatabase()
    const pool = createPool(database.url, { size: 1 })
    const session = await pool.connect()
    try {
      await session.query('begin')
      const made = writtenFacts(await readFacts(session))
      if (process.env.UPDATE_GOLDEN === '1') await writeFile(catalogFile, made)
      expect(await readFile(catalogFile, 'utf8')).toBe(made)
    } finally {
      session.release(true)
      await pool.end()
      await database.drop()
    }
  })
})

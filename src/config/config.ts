// The only file that reads the environment: one schema, all faults at once, secrets wrapped.
import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { auditOf, auditSchema, neededByAudit } from './auditSettings.ts'
import { eventStoreSchema } from './eventStoreSettings.ts'
import { fitsProvider, orderingOf, orderSchema } from './orderSettings.ts'
import { Secret } from './secret.ts'
import { addressFaults, addressSchema } from './serverAddresses.ts'
import {
  holds32Bytes,
  isBare,
  isCurrency,
  isNetwork,
  isOrigin,
  isTimeZone,
} from './settingForms.ts'

/** No setting: bcrypt takes 2 to the power of this many rounds, about 90 ms. Tests lower it. */
const hashing: { passwordCost: number } = { passwordCost: 10 }
const stripeApi = 'https://api.stripe.com'
const neededByStripe: readonly string[] = ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET']

const schema = Type.Object({
  DATABASE_URL: addressSchema.DATABASE_URL,
  REDIS_URL: addressSchema.REDIS_URL,
  CACHE_REDIS_URL: addressSchema.CACHE_REDIS_URL,
  CACHE_REDIS_MB: Type.Integer({ ...range(1, 100_000), default: 32 }),
  EVENTSTORE_URL: addressSchema.EVENTSTORE_URL,
  ...eventStoreSchema,
  SMTP_URL: url(['smtp:', 'smtps:'], 'smtp://user:password@host:587'),
  SECRET_KEY: Type.Refine(
    Type.String({ description: '32 or more random bytes as text, made by: openssl rand -hex 32' }),
    holds32Bytes,
  ),
  HOST: Type.String({ default: '127.0.0.1', description: 'an address to listen on' }),
  PORT: Type.Integer({ ...range(0, 65_535), default: 3000 }),
  PUBLIC_URL: Type.Optional(
    Type.Refine(url(['http:', 'https:'], 'https://shop.example.com'), isBare),
  ),
  LOG_LEVEL: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: 'info',
    description: 'trace, debug, info, warn, error, fatal or silent',
  }),
  SHOP_NAME: Type.String({
    default: 'Orderstream',
    pattern: '^[^\\r\\n]{1,100}$',
    description: 'one line of at most 100 characters',
  }),
  CURRENCY: Type.Refine(
    Type.String({ default: 'GBP', description: 'an ISO 4217 code such as GBP' }),
    isCurrency,
  ),
  TIME_ZONE: Type.Refine(
    Type.String({ default: 'UTC', description: 'an IANA time zone such as Europe/London' }),
    isTimeZone,
  ),
  MAIL_LANGUAGE: Type.Enum(['en', 'de'], { default: 'en', description: 'en or de' }),
  ...orderSchema({ range, list }),
  MAIL_FROM: Type.String({
    default: 'Orderstream <orders@example.com>',
    pattern: '^[^\\r\\n]*@[^\\r\\n]+$',
    description: 'a sender such as Orderstream <orders@example.com>',
  }),
  ACCESS_TOKEN_TTL_SECONDS: Type.Integer({ ...range(1, 86_400), default: 300 }),
  REFRESH_TOKEN_TTL_SECONDS: Type.Integer({ ...range(1, 31_536_000), default: 2_592_000 }),
  CORS_ORIGINS: list(isOrigin, 'origins such as https://shop.example.com, separated by commas'),
  TRUST_PROXY: list(isNetwork, 'addresses or networks such as 10.0.0.0/8, separated by commas'),
  DATABASE_POOL_SIZE: Type.Integer({ ...range(1, 500), default: 10 }),
  FILES_DIR: Type.String({ default: '.data/files', description: 'a directory' }),
  PLUGINS: list(
    module => module !== '',
    'paths that begin with . or /, or names of packages, separated by commas',
  ),
  PAYMENT_PROVIDER: Type.Enum(['simulated', 'stripe', 'plugin'], {
    default: 'simulated',
    description: 'simulated, stripe or plugin',
  }),
  STRIPE_SECRET_KEY: Type.Optional(
    Type.String({
      pattern: '^[rs]k_(test|live)_\\w{8,250}$',
      description: 'a secret or restricted key of Stripe, sk_test_… or sk_live_…',
    }),
  ),
  STRIPE_WEBHOOK_SECRET: Type.Optional(
    Type.String({
      pattern: '^whsec_[\\w+/=]{8,250}$',
      description: 'the signing secret of the webhook at Stripe, whsec_…',
    }),
  ),
  STRIPE_API_BASE: url(['https:', 'http:'], stripeApi, { default: stripeApi }),
  METRICS_PORT: Type.Optional(Type.Integer(range(1, 65_535))),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(url(['http:', 'https:'], 'http://collector:4318')),
  WEBHOOK_ALLOWED_NETWORKS: list(
    isNetwork,
    'addresses or networks such as 10.0.0.0/8, separated by commas',
  ),
  WEBHOOK_RETRY_SECONDS: Type.Integer({ ...range(1, 3_600), default: 5 }),
  WEBHOOK_ATTEMPTS: Type.Integer({ ...range(1, 20), default: 9 }),
  WEBHOOK_FAILURES_MAX: Type.Integer({ ...range(1, 1_000_000), default: 100 }),
  COMMANDS_MAX: Type.Integer({ ...range(1, 100_000), default: 2_000 }),
  RATE_LIMITS: Type.Enum(['on', 'off'], { default: 'on', description: 'on or off' }),
  RATE_LIMIT_ANONYMOUS: Type.Integer({ ...range(1, 1_000_000), default: 1_200 }),
  RATE_LIMIT_READS: Type.Integer({ ...range(1, 1_000_000), default: 3_000 }),
  RATE_LIMIT_WRITES: Type.Integer({ ...range(1, 1_000_000), default: 600 }),
  RATE_LIMIT_LOGINS: Type.Integer({ ...range(1, 1_000_000), default: 120 }),
  RATE_LIMIT_FAILED_LOGINS: Type.Integer({ ...range(1, 1_000_000), default: 10 }),
  RATE_LIMIT_REGISTRATIONS: Type.Integer({ ...range(1, 1_000_000), default: 300 }),
  RATE_LIMIT_RESETS: Type.Integer({ ...range(1, 1_000_000), default: 30 }),
  RATE_LIMIT_REFRESHES: Type.Integer({ ...range(1, 1_000_000), default: 30 }),
  RATE_LIMIT_MISSES: Type.Integer({ ...range(1, 1_000_000), default: 30 }),
  RATE_LIMIT_BULK: Type.Integer({ ...range(1, 1_000_000), default: 5 }),
  LIVE_CONNECTIONS_EACH: Type.Integer({ ...range(1, 100_000), default: 5 }),
  LIVE_CONNECTIONS_MAX: Type.Integer({ ...range(1, 100_000), default: 1_000 }),
  RESET_PAGE_URL: Type.Optional(url(['http:', 'https:'], 'https://shop.example.com/new-password')),
  ...auditSchema({ url, range }),
})

const checker = Compile(schema)
const checks = new Map(
  Object.entries(schema.properties).map(([name, property]) => [name, Compile(property)]),
)

export type Config = ReturnType<typeof fromEnvironment>

/** What an operator can set: the variable, what it must be, and its default as text. */
export interface Setting {
  name: string
  expected: string
  required: boolean
  default: string
}

/** Every setting, in the order of `.env.example`. */
export const settings: readonly Setting[] = Object.entries(schema.properties).map(
  ([name, property]) => {
    const value = 'default' in property ? property.default : undefined
    return {
      name,
      expected: 'description' in property ? String(property.description) : '',
      required: value === undefined && schema.required.some(required => required === name),
      default: value === undefined ? '' : String(value),
    }
  },
)

/** Thrown when settings are wrong. The message has one line for each fault and no secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * The environment of this process after `.env` of the working directory, where there is one, has
 * been added to it. What the real environment says wins.
 */
export function readEnvironment(): NodeJS.ProcessEnv {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return process.env
}

/**
 * Checks the settings and freezes them. Empty variables count as absent, unknown ones are ignored.
 * Throws ConfigError, which names every fault at once.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const values = parse(env)
  const wrong = settings.filter(setting => isWrong(setting, values))
  if (wrong.length === 0 && checker.Check(values)) return fromEnvironment(values)
  throw new ConfigError(wrong.map(setting => fault(setting, env)).join('\n'))
}

function fromEnvironment(values: Static<typeof schema>) {
  return Object.freeze({
    databaseUrl: new Secret(values.DATABASE_URL),
    redisUrl: new Secret(values.REDIS_URL),
    cacheRedisUrl: values.CACHE_REDIS_URL ? new Secret(values.CACHE_REDIS_URL) : undefined,
    cacheRedisMegabytes: values.CACHE_REDIS_MB,
    eventStoreUrl: values.EVENTSTORE_URL ? new Secret(values.EVENTSTORE_URL) : undefined,
    streamPrefix: values.EVENTSTORE_STREAM_PREFIX,
    smtpUrl: new Secret(values.SMTP_URL),
    secretKey: new Secret(values.SECRET_KEY),
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL?.replace(/\/+$/, '') ?? localUrl(values.HOST, values.PORT),
    logLevel: values.LOG_LEVEL,
    shopName: values.SHOP_NAME,
    timeZone: values.TIME_ZONE,
    mailLanguage: values.MAIL_LANGUAGE,
    currency: values.CURRENCY,
    ordering: orderingOf(values),
    mailFrom: values.MAIL_FROM,
    accessTokenTtlSeconds: values.ACCESS_TOKEN_TTL_SECONDS,
    refreshTokenTtlSeconds: values.REFRESH_TOKEN_TTL_SECONDS,
    ...hashing,
    corsOrigins: Object.freeze([...values.CORS_ORIGINS]),
    trustProxy: Object.freeze([...values.TRUST_PROXY]),
    databasePoolSize: values.DATABASE_POOL_SIZE,
    filesDirectory: values.FILES_DIR,
    plugins: Object.freeze([...values.PLUGINS]),
    paymentProvider: values.PAYMENT_PROVIDER,
    stripe: stripeOf(values),
    metricsPort: values.METRICS_PORT,
    otlpEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    webhookAllowedNetworks: Object.freeze([...values.WEBHOOK_ALLOWED_NETWORKS]),
    webhookRetryPolicy: Object.freeze({
      retrySeconds: values.WEBHOOK_RETRY_SECONDS,
      attemptsMax: values.WEBHOOK_ATTEMPTS,
      failuresMax: values.WEBHOOK_FAILURES_MAX,
    }),
    commandsMax: values.COMMANDS_MAX,
    rateLimits: values.RATE_LIMITS,
    rateLimitAnonymous: values.RATE_LIMIT_ANONYMOUS,
    rateLimitReads: values.RATE_LIMIT_READS,
    rateLimitWrites: values.RATE_LIMIT_WRITES,
    rateLimitLogins: values.RATE_LIMIT_LOGINS,
    rateLimitFailedLogins: values.RATE_LIMIT_FAILED_LOGINS,
    rateLimitRegistrations: values.RATE_LIMIT_REGISTRATIONS,
    rateLimitResets: values.RATE_LIMIT_RESETS,
    rateLimitRefreshes: values.RATE_LIMIT_REFRESHES,
    rateLimitMisses: values.RATE_LIMIT_MISSES,
    rateLimitBulk: values.RATE_LIMIT_BULK,
    liveConnectionsEach: values.LIVE_CONNECTIONS_EACH,
    liveConnectionsMax: values.LIVE_CONNECTIONS_MAX,
    resetPageUrl: values.RESET_PAGE_URL,
    audit: auditOf(values),
  })
}

/** The keys of Stripe, when it is what the shop is paid through. */
function stripeOf(values: Static<typeof schema>) {
  const { STRIPE_SECRET_KEY: secretKey, STRIPE_WEBHOOK_SECRET: webhookSecret } = values
  if (values.PAYMENT_PROVIDER !== 'stripe') return undefined
  return Object.freeze({
    secretKey: new Secret(secretKey ?? ''),
    webhookSecret: new Secret(webhookSecret ?? ''),
    apiBase: values.STRIPE_API_BASE,
  })
}

/** Where a browser on this machine reaches a server that listens there. */
export function localUrl(host: string, port: number): string {
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? 'localhost' : isIP(host) === 6 ? `[${host}]` : host
  return `http://${name}:${port}`
}

function parse(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const entries = Object.entries(schema.properties).map(([name, property]) => {
    const text = env[name]?.trim()
    if (text === undefined || text === '')
      return [name, 'default' in property ? property.default : undefined]
    if (Type.IsInteger(property)) return [name, /^-?\d+$/.test(text) ? Number(text) : text]
    if (Type.IsArray(property)) return [name, text.split(',').map(item => item.trim())]
    return [name, text]
  })
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

// One check a setting: a check of the whole object stops collecting after eight errors.
function isWrong(setting: Setting, values: Record<string, unknown>): boolean {
  const value = values[setting.name]
  if (value === undefined) {
    const isForStripe = neededByStripe.includes(setting.name)
    const neededBy = neededByAudit[setting.name]
    if (neededBy !== undefined && values[neededBy] !== undefined) return true
    return setting.required || (isForStripe && values.PAYMENT_PROVIDER === 'stripe')
  }
  if (setting.name === 'PAYMENT_METHODS' && !fitsProvider(values)) return true
  return checks.get(setting.name)?.Check(value) === false
}

function fault(setting: Setting, env: NodeJS.ProcessEnv): string {
  const text = env[setting.name]?.trim() ?? ''
  if (text === '') return `${setting.name} is missing: expected ${setting.expected}`
  const reason = addressFaults[setting.name]?.(text)
  const why = reason === undefined ? '' : `${reason}; `
  return `${setting.name} is not valid: ${why}expected ${setting.expected}`
}

function range(minimum: number, maximum: number) {
  return { minimum, maximum, description: `a whole number from ${minimum} to ${maximum}` }
}

function url(protocols: readonly string[], example: string, options: { default?: string } = {}) {
  const description = `a URL such as ${example}`
  return Type.Refine(Type.String({ description, ...options }), text => {
    const parsed = URL.parse(text)
    return parsed !== null && protocols.includes(parsed.protocol) && parsed.host !== ''
  })
}

function list(isItem: (text: string) => boolean, description: string) {
  return Type.Array(Type.Refine(Type.String(), isItem), { default: [], description })
}

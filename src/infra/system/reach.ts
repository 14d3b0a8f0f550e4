// Asks a server whether it can be used, and turns every way it cannot into one line of text.
import { Redis } from 'ioredis'
import pg from 'pg'

const timeoutMs = 5_000

/** Why the database cannot be used, as one line without its password; undefined when it can. */
export async function databaseFault(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return undefined
  } catch (error) {
    return `DATABASE_URL: ${databaseProblem(error, place(url, 5432))}`
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Why Redis cannot be used, as one line without its password; undefined when it can. */
export async function redisFault(url: string): Promise<string | undefined> {
  const client = new Redis(url, {
    lazyConnect: true,
    // The default of two seconds keeps a process that long from ending after a refused connection.
    disconnectTimeout: 50,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    retryStrategy: () => null,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  })
  let cause: unknown
  client.on('error', error => {
    cause ??= error
  })
  try {
    await client.connect()
    await client.ping()
    return undefined
  } catch (error) {
    const where = place(url, 6379)
    const problem = messageOf(cause ?? error)
    if (!/WRONGPASS|NOAUTH|invalid password/.test(problem)) {
      return `REDIS_URL: ${networkProblem(cause ?? error, where)}`
    }
    return `REDIS_URL: the server at ${where} refuses the password`
  } finally {
    client.disconnect()
  }
}

function databaseProblem(error: unknown, where: string): string {
  const code = error instanceof pg.DatabaseError ? error.code : undefined
  if (code === '28P01' || code === '28000')
    return `the server at ${where} refuses the user or password`
  if (code === '3D000') return `the server at ${where} has no such database`
  return networkProblem(error, where)
}

function networkProblem(error: unknown, where: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ECONNREFUSED') return `nothing answers at ${where} (connection refused)`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host of ${where} is not known`
  return `the server at ${where} cannot be used: ${messageOf(error)}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
}

function place(url: string, defaultPort: number): string {
  const { hostname = '?', port = '' } = URL.parse(url) ?? {}
  return `${hostname}:${port || defaultPort}`
}

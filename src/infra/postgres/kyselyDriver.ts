// The query builder over a pool of ours: how Kysely's statements are sent.
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import type { CompiledStatement, SendOptions } from '../../ports/statements.ts'
import type { AnyRow, Pool, SentStatement, Session } from './sessions.ts'

/** Kysely's dialect for a pool. */
export function dialectOf(pool: Pool): Dialect {
  const names = createNames()
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => createDriver(pool, names),
    createIntrospector: db => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  }
}

/** More statements than a program has; text that differs each time must not fill the server. */
const preparedMax = 500

type NameOf = (text: string) => string | undefined

function createNames(): NameOf {
  const names = new Map<string, string>()
  return text => {
    const known = names.get(text)
    if (known !== undefined || names.size >= preparedMax) return known
    const name = `built_${names.size}`
    names.set(text, name)
    return name
  }
}

function createDriver(pool: Pool, nameOf: NameOf): Driver {
  const connections = new WeakMap<DatabaseConnection, Session>()
  const broken = new WeakSet<DatabaseConnection>()
  const run = (connection: DatabaseConnection, text: string) =>
    connections.get(connection)?.query(text)
  return {
    init: async () => undefined,
    async acquireConnection() {
      const session = await pool.connect()
      const connection = connectionOf(session, nameOf)
      connections.set(connection, session)
      return connection
    },
    async beginTransaction(connection, settings) {
      await run(connection, beginText(settings))
    },
    async commitTransaction(connection) {
      const result = await run(connection, 'commit')
      // The tag that the server gives where an earlier statement has failed.
      if (result?.command === 'ROLLBACK') throw new Error('the transaction was rolled back')
    },
    async rollbackTransaction(connection) {
      broken.add(connection)
      await run(connection, 'rollback')
      broken.delete(connection)
    },
    releaseConnection: async connection =>
      connections.get(connection)?.release(broken.has(connection)),
    destroy: () => pool.end(),
  }
}

function beginText({ isolationLevel, accessMode }: TransactionSettings): string {
  const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`
  return `begin${level}${accessMode === undefined ? '' : ` ${accessMode}`}`
}

const writes: ReadonlySet<string> = new Set([
  'InsertQueryNode',
  'UpdateQueryNode',
  'DeleteQueryNode',
  'MergeQueryNode',
])

/**
 * Built writes are prepared: planning takes the server longer than most of them. The plan of a read
 * depends on its parameters, so it is planned with its parameters unless it says otherwise.
 */
function connectionOf(session: Session, nameOf: NameOf): DatabaseConnection {
  function statementOf(
    { sql: text, parameters, isPrepared, copyIn }: CompiledStatement & SendOptions,
    isWrite: boolean,
  ): SentStatement {
    if (copyIn !== undefined) return { text, copyIn }
    if (parameters.length === 0) return { text }
    const name = isPrepared || isWrite ? nameOf(text) : undefined
    return { text, values: [...parameters], ...(name === undefined ? {} : { name }) }
  }

  return {
    async executeQuery<Row>(query: CompiledQuery & SendOptions): Promise<QueryResult<Row>> {
      if (query.pipeline !== undefined) {
        const results = await session.pipeline(query.pipeline.map(each => statementOf(each, true)))
        const rows: AnyRow[] = results.map(({ rowCount }) => ({ written: rowCount ?? 0 }))
        return { rows }
      }
      const statement = statementOf(query, writes.has(query.query.kind))
      const { command, rowCount, rows } = await session.send(statement)
      if (!changing.has(command) || rowCount === null) return { rows }
      return { rows, numAffectedRows: BigInt(rowCount) }
    },
    // biome-ignore lint/correctness/useYield: cursors are not used
    async *streamQuery() {
      throw new Error('results are not streamed')
    },
  }
}

const changing: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

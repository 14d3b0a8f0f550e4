// A database for one test file, copied from the migrated template in a fraction of a second.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

const template = 'orderstream_template'

export interface TestDatabase {
  url: string
  drop(): Promise<void>
}

/** A fresh database with the newest schema. `drop()` cuts off whoever is still connected. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = inject('databaseUrl')
  const name = `test_${randomBytes(6).toString('hex')}`
  await execute(server, `create database ${name} template ${template}`)
  return {
    url: withDatabase(server, name),
    drop: () => execute(server, `drop database if exists ${name} with (force)`),
  }
}

/** A database that has not been migrated, nor holds anything else. */
export async function emptyDatabase(): Promise<TestDatabase> {
  const server = inject('databaseUrl')
  const name = `test_${randomBytes(6).toString('hex')}`
  await execute(server, `create database ${name}`)
  return {
    url: withDatabase(server, name),
    drop: () => execute(server, `drop database if exists ${name} with (force)`),
  }
}

/** The empty database that migrations turn into the template. */
export async function createTemplate(server: string): Promise<void> {
  await execute(server, `drop database if exists ${template} with (force)`)
  await execute(server, `create database ${template}`)
}

export function templateUrl(server: string): string {
  return withDatabase(server, template)
}

async function execute(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

function withDatabase(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

// Runs once before all tests: starts the servers and migrates the template of every test database.
import type { TestProject } from 'vitest/node'
import { migrate } from '../../src/infra/postgres/migrate.ts'
import { createTemplate, templateUrl } from './database.ts'
import { startTestServers } from './servers.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    databaseUrl: string
    redisUrl: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await startTestServers(process.env)
  try {
    await createTemplate(servers.databaseUrl)
    await migrate(templateUrl(servers.databaseUrl))
  } catch (error) {
    await servers.stop()
    throw error
  }
  project.provide('databaseUrl', servers.databaseUrl)
  project.provide('redisUrl', servers.redisUrl)
  return servers.stop
}

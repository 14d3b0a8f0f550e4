// One mutant against its test file: a run of vitest in a process of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { TestServers } from '../support/servers.ts'
import { mutantEnvironment } from './active.ts'
import { changesOf, project } from './applyMutant.ts'
import { type Copy, copyProject } from './copy.ts'
import { needsCopy, type TestedMutant } from './mutant.ts'

export interface Verdict {
  mutant: TestedMutant
  isNoticed: boolean
  /** The test that noticed, or what happened instead. */
  says: string
  seconds: number
}

export interface On {
  servers: TestServers
  /** Ends the run at once. */
  signal: AbortSignal
  /** Made for the first mutant that needs it; whoever has begun the runs removes it. */
  copy?: Copy
}

/** What vitest says of a test file in JSON, as far as it is of interest. */
interface Report {
  testResults: {
    message?: string
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[]
  }[]
}

const vitest = join(project, 'node_modules/vitest/vitest.mjs')
/** A mutant that makes its test hang is noticed by the time-out of the test, long before. */
const deadlineMs = 240_000

/** Runs the test with the mutant in place. Servers are emptied of what the run has left. */
export async function tryMutant(mutant: TestedMutant, on: On): Promise<Verdict> {
  const startedAt = performance.now()
  const directory = await mkdtemp(join(tmpdir(), 'orderstream-mutant-'))
  try {
    const outcome = await run(mutant, directory, on)
    return { mutant, ...outcome, seconds: (performance.now() - startedAt) / 1_000 }
  } finally {
    await rm(directory, { recursive: true, force: true })
    await emptied(on.servers.redisUrl)
  }
}

async function run(mutant: TestedMutant, directory: string, on: On) {
  const seenFile = join(directory, 'seen')
  const reportFile = join(directory, 'report.json')
  const env = mutantEnvironment(mutant.name, seenFile)
  const isCopied = needsCopy(mutant)
  const output = isCopied
    ? await runInCopy(mutant, reportFile, on)
    : await runVitest(mutant, { cwd: project, env, reportFile }, on)
  const seen = await readFile(seenFile, 'utf8').catch(() => '')
  const unseen = changesOf(mutant).filter(({ file }) => !seen.includes(`${file}\n`))
  const missing = isCopied ? [] : unseen
  const report = await readFile(reportFile, 'utf8').catch(() => undefined)
  if (report === undefined) return lost(`vitest said nothing: ${output.slice(-2_000)}`)
  if (missing[0] !== undefined) return lost(`the test never loads ${missing[0].file}`)
  return judged(JSON.parse(report))
}

function lost(says: string) {
  return { isNoticed: false, says }
}

function judged({ testResults }: Report) {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  const failed = tests.find(({ status }) => status === 'failed')
  if (failed !== undefined) {
    const [reason = ''] = (failed.failureMessages?.[0] ?? '').split('\n')
    return { isNoticed: true, says: `${failed.fullName} (${reason.slice(0, 120)})` }
  }
  const message = testResults.map(({ message = '' }) => message).find(text => text !== '')
  if (message !== undefined) return lost(`nothing ran: ${message.slice(0, 1_000)}`)
  const hasPassed = tests.some(({ status }) => status === 'passed')
  return lost(hasPassed ? 'survived' : 'no test ran')
}

async function runInCopy(mutant: TestedMutant, reportFile: string, on: On): Promise<string> {
  on.copy ??= await copyProject()
  const restore = await on.copy.change(mutant)
  try {
    return await runVitest(mutant, { cwd: on.copy.directory, env: {}, reportFile }, on)
  } finally {
    await restore()
  }
}

interface Running {
  cwd: string
  env: Record<string, string>
  reportFile: string
}

async function runVitest(
  mutant: TestedMutant,
  { cwd, env, reportFile }: Running,
  { servers: { databaseUrl, redisUrl }, signal }: On,
): Promise<string> {
  const reporting = ['--reporter=json', `--outputFile=${reportFile}`]
  const args = ['run', mutant.test, '--bail=1', ...reporting]
  const child = spawn(process.execPath, [vitest, ...args], {
    cwd,
    env: {
      ...process.env,
      ...env,
      TEST_DATABASE_URL: databaseUrl,
      TEST_REDIS_URL: redisUrl,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output = (output + text).slice(-10_000)
    })
  }
  // The group: what the test has started ends with it.
  const end = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL')
  const late = setTimeout(end, deadlineMs)
  signal.addEventListener('abort', end)
  await once(child, 'close')
  signal.removeEventListener('abort', end)
  clearTimeout(late)
  return output
}

/** Data of a run, and logical databases that it did not give back. */
async function emptied(url: string): Promise<void> {
  const client = new Redis(url)
  await client.flushall()
  client.disconnect()
}

// A shop as npm start runs it, in a process that can be killed; its servers and data survive that.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../../src/config/config.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { type AppServices, openServices } from '../../src/main/openServices.ts'
import { isRunning } from '../../tools/local/processes.ts'
import { type Launcher, startLauncher } from './launcher.ts'
import { temporaryDirectory } from './servers.ts'
import { waitFor } from './waitFor.ts'

export interface CrashingApp {
  url: string
  directory: string
  /** Starts the process; resolves when it serves. */
  start(): Promise<void>
  /** Starts the process and does not wait for it. */
  begin(): void
  /** `kill -9` of the one process, and of nothing else. */
  kill(): Promise<void>
  /** A door to its log and database that stays open while it is down. */
  back(): Promise<AppServices>
  /** Ends everything that was started, whatever state it is in, and removes the data. */
  close(): Promise<void>
}

/** Nothing runs yet. */
export async function crashingShop(): Promise<CrashingApp> {
  const directory = await temporaryDirectory()
  const port = await freePort()
  const launchers: Launcher[] = []
  let door: AppServices | undefined
  const newest = () => launchers.at(-1)
  const begin = () => {
    const settings = {
      DATA_DIR: directory,
      PORT: `${port}`,
      LOG_LEVEL: 'warn',
      RATE_LIMITS: 'off',
      ACCESS_TOKEN_TTL_SECONDS: '7200',
    }
    launchers.push(startLauncher('tools/start.ts', settings))
  }
  return {
    url: `http://127.0.0.1:${port}`,
    directory,
    begin,
    async start() {
      begin()
      await newest()?.says(/^Ready: /m)
    },
    async kill() {
      const launcher = newest()
      if (launcher === undefined) return
      if (isRunning(launcher.pid)) process.kill(launcher.pid, 'SIGKILL')
      await launcher.ended()
    },
    async back() {
      door ??= await openServices(loadConfig(await environment(directory)))
      return door
    },
    async close() {
      await door?.close().catch(() => undefined)
      const launcher = newest()
      launcher?.signal('SIGTERM')
      await launcher?.ended()
      for (const pid of await serverPids(directory)) await end(pid)
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function environment(directory: string): Promise<Record<string, string>> {
  return JSON.parse(await readFile(join(directory, 'runtime.json'), 'utf8')).env
}

async function serverPids(directory: string): Promise<number[]> {
  const files = ['postgres/cluster/postmaster.pid', 'redis/redis.pid']
  const texts = files.map(file => readFile(join(directory, file), 'utf8').catch(() => ''))
  return (await Promise.all(texts)).map(text => Number.parseInt(text, 10)).filter(Number)
}

async function end(pid: number): Promise<void> {
  if (!isRunning(pid)) return
  process.kill(pid, 'SIGKILL')
  await waitFor(`the end of ${pid}`, () => !isRunning(pid))
}

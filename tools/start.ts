// npm start: PostgreSQL, Redis, mails, migrations, API, workers and console in one go.
import { loadConfig, readEnvironment } from '../src/config/config.ts'
import { buildConsoleInBackground } from './consoleBuild.ts'
import { launch } from './launch.ts'
import { workerThread } from './workerThread.ts'

const usage = `Usage: npm start

Starts the shop in one process: API, workers and console, with a PostgreSQL, a Redis and a mail
catcher of its own where DATABASE_URL, REDIS_URL and SMTP_URL name none. Ctrl-C stops all of it.

Settings come from the environment or the file .env; .env.example has all of them. Above all:
  DATA_DIR   where everything is kept (default: .data)
  PORT       of the API and the console (default: 3000)

Options:
  -h, --help  shows this`

const [argument] = process.argv.slice(2)
if (argument !== undefined) {
  const isHelp = argument === '-h' || argument === '--help'
  if (isHelp) console.log(usage)
  else console.error(`There is no argument ${argument} (--help shows how)`)
  process.exit(isHelp ? 0 : 1)
}

await launch(readEnvironment(), async () => {
  const workers = workerThread()
  const { startApp } = await import('../src/main/start.ts')
  return async (env, say) => {
    const [app] = await Promise.all([
      startApp(loadConfig(env), { api: true, workers: false, isAllInOne: true }, say),
      workers.start(env),
    ])
    const stopBuilding = buildConsoleInBackground(say)
    return {
      url: app.url,
      async close() {
        stopBuilding()
        await workers.stop()
        await app.close()
      },
    }
  }
})

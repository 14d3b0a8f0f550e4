// npm start: PostgreSQL, Redis, mails, migrations, API, workers and console in one go.
import { loadConfig, readEnvironment } from '../src/config.ts'
import { buildConsoleBeside } from './consoleBuild.ts'
import { launch } from './launch.ts'
import { workerThread } from './workerThread.ts'

await launch(readEnvironment(), async () => {
  const workers = workerThread()
  const { startApp } = await import('../src/app.ts')
  return async (env, say) => {
    const [app] = await Promise.all([
      startApp(loadConfig(env), { api: true, workers: false, alone: true }, say),
      workers.start(env),
    ])
    const stopBuilding = buildConsoleBeside(say)
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

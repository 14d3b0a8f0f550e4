// npm start: PostgreSQL, Redis, mails, migrations, API, workers and console in one go.
import { readEnvironment } from '../src/config.ts'
import { buildConsoleBeside } from './consoleBuild.ts'
import { launch } from './launch.ts'

await launch(readEnvironment(), async () => {
  const { startApp } = await import('../src/app.ts')
  return async (config, parts, say) => {
    const app = await startApp(config, parts, say)
    const stopBuilding = buildConsoleBeside(say)
    return {
      url: app.url,
      async close() {
        stopBuilding()
        await app.close()
      },
    }
  }
})

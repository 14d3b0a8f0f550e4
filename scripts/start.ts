// npm start: PostgreSQL, Redis, mails, migrations, API and workers in one go.
import { readEnvironment } from '../src/config.ts'
import { launch } from './launch.ts'

await launch(readEnvironment(), async () => (await import('../src/app.ts')).startApp)

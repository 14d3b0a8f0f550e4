// npm run migrate: brings the database to the newest schema and says what it did.
import { readEnvironment } from '../src/config/config.ts'
import { migrate } from '../src/infra/postgres/migrate.ts'
import { databaseFault } from '../src/infra/system/reach.ts'
import { main, Refusal, UsageError } from './withApp.ts'

const usage = `Usage: npm run migrate

Brings the database of DATABASE_URL to the newest schema. Starting the shop does this too; this is
for those who deploy in steps. Safe to run from several places at once.

Exit codes: 0 done, 1 not done, 2 wrong usage.`

await main(async () => {
  const [argument] = process.argv.slice(2)
  if (argument === '-h' || argument === '--help') return console.log(usage)
  if (argument !== undefined) throw new UsageError(`there is no argument ${argument}`)
  const url = readEnvironment().DATABASE_URL?.trim() ?? ''
  if (url === '') throw new Refusal('DATABASE_URL is missing: set it to the database')
  if (!/^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new Refusal(
      'DATABASE_URL is not valid: expected a URL such as postgres://user:password@host:5432/name',
    )
  }
  const fault = await databaseFault(url)
  if (fault !== undefined) throw new Refusal(fault)
  const names = await migrate(url)
  console.log(names.length === 0 ? 'nothing to do' : `applied ${names.join(', ')}`)
})

// npm run migrate: brings the database to the newest schema and says what it did.
import { migrate } from '../src/infra/migrate.ts'
import { main, Refusal } from './withShop.ts'

const usage = `Usage: npm run migrate

Brings the database of DATABASE_URL to the newest schema. Starting the shop does this too; this is
for those who deploy in steps. Safe to run from several places at once.`

await main(async () => {
  if (process.argv.length > 2) {
    console.log(usage)
    return
  }
  const url = process.env.DATABASE_URL
  if (url === undefined || url === '') throw new Refusal('set DATABASE_URL to the database')
  const names = await migrate(url)
  console.log(names.length === 0 ? 'nothing to do' : `applied ${names.join(', ')}`)
})

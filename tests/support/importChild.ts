// Imports a ledger in a process that can be killed: says each document that is in.
import { readLedger } from '../../src/workers/imports/ledger/readLedger.ts'
import { importInto, openTestShop } from './ledger.ts'

const [url = '', file = ''] = process.argv.slice(2)
const open = await openTestShop(url)
await importInto(open, await readLedger(file), { onDocument: key => console.log(key) })
await open.close()
console.log('whole')

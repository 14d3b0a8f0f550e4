// An import that is killed again and again ends with the same log as one that was left alone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { testDatabase } from '../support/database.ts'
import {
  type Columns,
  contentOf,
  importInto,
  ledgerRows,
  ledgerText,
  openTestShop,
} from '../support/ledger.ts'
import { temporaryDirectory } from '../support/servers.ts'

const rounds = 6
const node = process.execPath
const child = join(import.meta.dirname, '../support/importChild.ts')

/** Invoices, returns and stock notes over a few products, so that documents meet in streams. */
function busyLedger(): Partial<Columns>[] {
  return Array.from({ length: 240 }, (_, index) => {
    const StockCode = `1000${index % 7}`
    const CustomerID = `${index % 5}`
    const InvoiceDate = `2010-12-01 ${String(8 + Math.floor(index / 60)).padStart(2, '0')}:00:00`
    const row = { StockCode, CustomerID, InvoiceDate }
    if (index % 11 === 10) {
      return { ...row, InvoiceNo: `${index}`, CustomerID: '', UnitPrice: '0', Quantity: '-4' }
    }
    if (index % 6 === 5) return { ...row, InvoiceNo: `C${index}`, Quantity: '-5' }
    return { ...row, InvoiceNo: `${Math.floor(index / 2)}`, Quantity: `${1 + (index % 9)}` }
  })
}

/** Runs the import until it is whole or killed, a little after some more documents are in. */
async function runAndKill(url: string, file: string, kill?: { after: number; waitMs: number }) {
  const process = spawn(node, [child, url, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(process, 'exit')
  let lines = 0
  let last = ''
  for await (const line of createInterface(process.stdout)) {
    lines += 1
    last = line
    if (lines !== kill?.after) continue
    await sleep(kill.waitMs)
    process.kill('SIGKILL')
  }
  await exited
  return { lines, isWhole: last === 'whole' }
}

it('is finished by the next run as if nothing had happened', { timeout: 120_000 }, async () => {
  const [killed, alone] = [await testDatabase(), await testDatabase()]
  const file = join(await temporaryDirectory(), 'ledger.csv')
  await writeFile(file, ledgerText(busyLedger()))
  let kills = 0
  for (let round = 0; round < rounds; round += 1) {
    const moment = { after: 1 + Math.floor(Math.random() * 20), waitMs: Math.random() * 10 }
    const { isWhole } = await runAndKill(killed.url, file, moment)
    if (isWhole) break
    kills += 1
  }
  expect(kills).toBeGreaterThan(2)
  expect((await runAndKill(killed.url, file)).isWhole).toBe(true)

  const [after, untouched] = [await openTestShop(killed.url), await openTestShop(alone.url)]
  await importInto(untouched, ledgerRows(...busyLedger()))
  expect(await contentOf(after)).toEqual(await contentOf(untouched))
  await Promise.all([after.close(), untouched.close()])
  await Promise.all([killed.drop(), alone.drop()])
})

// Every place where an import can break off: the next run ends with the same log.
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import { systemClock } from '../../src/infra/system/clock.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import type { EventLog } from '../../src/ports/logInspection.ts'
import { contentOf, importInto, ledgerRows } from '../support/ledger.ts'

const ledger = ledgerRows(
  { InvoiceNo: '1', Quantity: '6' },
  { InvoiceNo: '1', StockCode: 'POST', Quantity: '1', UnitPrice: '18' },
  { InvoiceNo: 'C2', Quantity: '-8' },
  { InvoiceNo: '3', Quantity: '-3', UnitPrice: '0', CustomerID: '', Description: 'damages' },
  { InvoiceNo: '4', Quantity: '5', CustomerID: '12345' },
  { InvoiceNo: '5', Quantity: '-2', UnitPrice: '0', CustomerID: '', Description: '?' },
  { InvoiceNo: '6', Quantity: '0' },
  { InvoiceNo: '7', StockCode: '85123A', Quantity: '-4', UnitPrice: '0', CustomerID: '' },
)

const clearText = {
  seal: async (_: string, text: string) => text,
  open: async (_: string, sealed: string) => sealed,
  isErased: async () => false,
  evict: () => undefined,
}

const codec = createCodec(eventSchemas, clearText)

const noPayments = {
  name: 'none',
  signatureHeader: 'none',
  charge: () => expect.fail('an import charges nobody'),
  cancel: () => expect.fail('an import calls nothing off'),
  refund: () => expect.fail('an import pays nobody back'),
  readCallback: () => expect.fail('an import is not called back'),
  list: () => expect.fail('an import compares nothing'),
}

/** A process over a store: its caches are empty, as after a start. */
function startProcess(eventStore: EventLog) {
  const parts = { eventStore, codec, cache: streamCaches(1_000), clock: systemClock }
  return {
    app: createApp({ ...parts, payments: noPayments, currency: 'GBP', fingerprint: digestOf }),
    eventStore,
    codec,
  }
}

interface Breaking extends EventLog {
  appends(): number
}

/** A store that is lost at its n-th append, which then has been written, or not. */
function breaking(store: EventLog, at: number, isWritten: boolean): Breaking {
  let appends = 0
  return {
    ...store,
    appends: () => appends,
    async append(stream, expected, events) {
      appends += 1
      if (appends < at) return store.append(stream, expected, events)
      if (appends === at && isWritten) await store.append(stream, expected, events)
      throw new Unavailable('the store is lost')
    },
  }
}

async function importWhole(store: EventLog, concurrency: number) {
  await importInto(startProcess(store), ledger, { concurrency })
  return contentOf({ eventStore: store, codec })
}

describe.each([1, 8])('an import of %i documents at a time', concurrency => {
  it('waits with a return for its order, and refuses nothing that can be done', async () => {
    const content = await importWhole(memoryEventStore(), concurrency)
    const types = [...content.values()].flat().map(event => event.split(' ')[0])
    expect(types.filter(type => type === 'ItemsReturned')).toHaveLength(1)
    expect([...content.values()].flat().filter(event => event.includes('"refusals":[{'))).toEqual([
      expect.stringContaining('has the quantity 0'),
    ])
  })

  it.each([false, true])('goes on after any append, written: %s', async isWritten => {
    const whole = await importWhole(memoryEventStore(), concurrency)
    const counting = breaking(memoryEventStore(), Number.POSITIVE_INFINITY, false)
    await importWhole(counting, concurrency)
    for (let at = 1; at <= counting.appends(); at += 1) {
      const store = memoryEventStore()
      const process = startProcess(breaking(store, at, isWritten))
      await expect(importInto(process, ledger, { concurrency })).rejects.toThrow('lost')
      expect(await importWhole(store, concurrency), `broken off at append ${at}`).toEqual(whole)
    }
  })
})

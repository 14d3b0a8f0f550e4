// What each kind of row becomes: the rules of docs/decisions/0003-ledger-import.md, one by one.
import { describe, expect, it } from 'vitest'
import { isGoods } from '../../src/workers/imports/ledger/ledgerEntry.ts'
import { returnIdOf } from '../../src/workers/imports/ledger/ledgerIds.ts'
import type { PlannedDocument } from '../../src/workers/imports/ledger/ledgerPlan.ts'
import { nameRank, reasonOf } from '../../src/workers/imports/ledger/ledgerWords.ts'
import { planLedger } from '../../src/workers/imports/ledger/planLedger.ts'
import { type Columns, ledgerRows } from '../support/ledger.ts'

function plan(...rows: Partial<Columns>[]) {
  return planLedger(ledgerRows(...rows))
}

function only(...rows: Partial<Columns>[]): PlannedDocument {
  const { documents } = plan(...rows)
  expect(documents).toHaveLength(1)
  return documents[0] ?? expect.fail()
}

const ends = ({ outcomes: ends }: PlannedDocument) => [...ends.values()]

describe('rows of one invoice', () => {
  it('are one document, also when they span minutes or are not in one place', () => {
    const { documents } = plan(
      { Quantity: '1' },
      { InvoiceNo: '536366' },
      { Quantity: '2', InvoiceDate: '2010-12-01 08:27:00' },
    )
    expect(documents.map(({ invoice, outcomes: ends }) => [invoice, ends.size])).toEqual([
      ['536365', 2],
      ['536366', 1],
    ])
    expect(documents[0]?.at).toEqual(new Date('2010-12-01T08:26:00Z'))
  })

  it('are several documents when the day, the customer or the country differ', () => {
    const { documents } = plan(
      {},
      { InvoiceDate: '2010-12-02 08:26:00' },
      { CustomerID: '' },
      { Country: 'EIRE' },
    )
    expect(documents).toHaveLength(4)
  })

  it('are all kept when they are equal', () => {
    expect(only({}, {}).orders[0]?.lines.map(line => line.row)).toEqual([2, 3])
  })

  it('become two orders when one event cannot hold them', () => {
    const document = only(...Array.from({ length: 5_001 }, () => ({ Quantity: '1' })))
    expect(document.orders.map(order => order.lines.length)).toEqual([5_000, 1])
    expect(new Set(document.orders.map(order => order.orderId)).size).toBe(2)
  })
})

describe('a sold row', () => {
  it('keeps its own code, name and the amount rounded once', () => {
    const document = only({ StockCode: '85123a', Description: ' Holder ', UnitPrice: '0.125' })
    expect(document.orders[0]?.lines).toEqual([
      {
        row: 2,
        product: '85123A',
        sku: '85123a',
        name: 'Holder',
        quantity: 6,
        unitMinor: 13,
        totalMinor: 75,
      },
    ])
  })

  it('is a charge when its code is no article', () => {
    const document = only({ StockCode: 'POST', Description: 'POSTAGE', UnitPrice: '18.00' })
    expect(document.orders[0]).toMatchObject({
      lines: [],
      charges: [{ code: 'POST', name: 'POSTAGE', amountMinor: 10_800 }],
    })
    expect(document.movements).toEqual([])
  })

  it('is free of charge beside paid ones or for a known customer', () => {
    const beside = only({ CustomerID: '' }, { CustomerID: '', UnitPrice: '0.0' })
    expect(ends(beside)).toEqual(['order lines', 'order lines'])
    expect(ends(only({ UnitPrice: '0.00' }))).toEqual(['order lines'])
  })

  it('that moves neither goods nor money is refused with its reason', () => {
    const document = only({ StockCode: 'DOT', UnitPrice: '0.0', CustomerID: '' })
    expect(document.refusals).toEqual([
      { row: 2, reason: 'moves no goods (DOT is not an article) and no money' },
    ])
  })
})

describe('a stock note', () => {
  it('is an adjustment with a reason and the note', () => {
    const document = only({
      CustomerID: '',
      UnitPrice: '0',
      Quantity: '-20',
      Description: 'thrown away',
    })
    expect(document.movements).toMatchObject([
      { rows: [2], product: '71053', delta: -20, reason: 'damaged', note: 'thrown away' },
    ])
    expect(ends(document)).toEqual(['stock adjustments'])
  })

  it.each([
    ['damaged', -1, 'damaged'],
    ['?lost', -1, 'lost'],
    ['check', -1, 'counted'],
    ['Found', 1, 'found'],
    ['returned', 1, 'returned'],
    ['sold as set on dotcom', -1, 'correction'],
    ['BLUE CHECK BAG FOUND IN PARIS', 1, 'correction'],
    ['', 1, 'correction'],
  ] as const)('reads %j of %i as %s', (note, quantity, reason) => {
    expect(reasonOf(note, quantity)).toBe(reason)
  })
})

describe('a cancellation', () => {
  const back = { InvoiceNo: 'C536391', InvoiceDate: '2010-12-02 09:00:00' }

  it('takes goods back to the newest orders they were bought with', () => {
    const { documents } = plan(
      { InvoiceNo: '1', Quantity: '6' },
      { InvoiceNo: '2', Quantity: '2' },
      { ...back, Quantity: '-5' },
    )
    const [first, second, third] = documents
    expect(third?.returns.map(each => [each.orderId, each.lines[0]?.quantity])).toEqual([
      [second?.orders[0]?.orderId, 2],
      [first?.orders[0]?.orderId, 3],
    ])
    expect(third?.movements).toMatchObject([{ delta: 5, reason: 'returned', rows: [] }])
    expect(third && ends(third)).toEqual(['returns'])
  })

  it('credits what was bought before the ledger begins, and takes the goods in', () => {
    const document = only({ ...back, Quantity: '-5' })
    expect(document.credits).toMatchObject([
      { reason: 'Goods returned', lines: [{ quantity: 5, totalMinor: -1_695, product: '71053' }] },
    ])
    expect(document.movements).toMatchObject([{ delta: 5, reason: 'returned' }])
  })

  it('is split when only a part was bought here', () => {
    const document = plan({ Quantity: '2' }, { ...back, Quantity: '-5' }).documents[1]
    expect(document?.returns[0]?.lines).toMatchObject([{ quantity: 2, totalMinor: 678 }])
    expect(document?.credits[0]?.lines).toMatchObject([{ quantity: 3, totalMinor: -1_017 }])
    expect(document && ends(document)).toEqual(['returns and credit notes'])
  })

  it.each<[string, Partial<Columns>]>([
    ['another price', { UnitPrice: '3.40' }],
    ['another customer', { CustomerID: '12345' }],
    ['another product', { StockCode: '71054' }],
  ])('does not touch orders of %s', (_, difference) => {
    const document = plan(difference, { ...back, Quantity: '-1' }).documents[1]
    expect(document?.returns).toEqual([])
  })

  it('by nobody known is credited: whose order it was is not known either', () => {
    const document = plan({ CustomerID: '' }, { ...back, CustomerID: '', Quantity: '-1' })
    expect(document.documents[1]?.returns).toEqual([])
  })

  it('of a price finer than a penny is credited as a whole', () => {
    const fine = { UnitPrice: '0.005', Quantity: '3' }
    const document = plan(fine, { ...fine, ...back, Quantity: '-1' }).documents[1]
    expect(document?.returns).toEqual([])
    expect(document?.credits[0]?.lines).toMatchObject([{ totalMinor: -1 }])
  })

  it('credits discounts and fees without touching stock', () => {
    const document = only({ ...back, StockCode: 'D', Description: 'Discount', Quantity: '-1' })
    expect(document.credits).toMatchObject([
      { reason: 'Discount', lines: [{ product: null, sku: 'D', totalMinor: -339 }] },
    ])
    expect(document.movements).toEqual([])
  })
})

describe('a document that is in', () => {
  const rows = ledgerRows(
    { InvoiceNo: '1', Quantity: '6' },
    { InvoiceNo: '2', Quantity: '6' },
    { InvoiceNo: 'C3', Quantity: '-4', InvoiceDate: '2010-12-02 09:00:00' },
    { InvoiceNo: 'C4', Quantity: '-7', InvoiceDate: '2010-12-03 09:00:00' },
  )
  const [first, second, third] = planLedger(rows).documents
  const orderId = first?.orders[0]?.orderId ?? ''
  const returnId = returnIdOf(third?.key ?? '', orderId)
  const goods = { product: '71053', unitMinor: 339, quantity: 4 }
  const returns = [{ orderId, returnId, reference: 'C3', ...goods }]
  const done = { rows: 1, refusals: [] }

  it('stays as it went in, and leaves to others what it left', () => {
    const documents = new Map([[third?.key ?? '', done]])
    const plan = planLedger(rows, { documents, sales: [], returns })
    expect(plan.documents[2]?.returns).toMatchObject([{ orderId, returnId }])
    expect(plan.documents[3]?.returns.map(each => [each.orderId, each.lines[0]?.quantity])).toEqual(
      [
        [second?.orders[0]?.orderId, 6],
        [orderId, 1],
      ],
    )
  })

  it('was credited when its order was not known then, and still is', () => {
    const documents = new Map([[third?.key ?? '', done]])
    const plan = planLedger(rows, { documents, sales: [], returns: [] })
    expect(plan.documents[2]).toMatchObject({
      returns: [],
      credits: [{ lines: [{ quantity: 4 }] }],
    })
  })

  it('is planned anew when it has only begun', () => {
    const plan = planLedger(rows, { documents: new Map(), sales: [], returns })
    expect(plan).toEqual(planLedger(rows))
  })
})

it('credits a negative price', () => {
  const document = only({
    InvoiceNo: 'A563186',
    StockCode: 'B',
    Description: 'Adjust bad debt',
    Quantity: '1',
    UnitPrice: '-11062.06',
    CustomerID: '',
  })
  expect(document.credits[0]?.lines).toMatchObject([{ quantity: 1, totalMinor: -1_106_206 }])
})

describe('a row that cannot be understood', () => {
  it.each<[Partial<Columns>, string]>([
    [{ Quantity: '0' }, 'has the quantity 0'],
    [{ Quantity: '1.5' }, 'has a quantity that is not a whole number: "1.5"'],
    [{ Quantity: '1000001' }, 'has a quantity of more than a million'],
    [{ UnitPrice: '1,5o' }, 'has a price that is not a number: "1,5o"'],
    [{ UnitPrice: '' }, 'has a price that is not a number: ""'],
    [{ UnitPrice: '99999999999' }, 'has an amount of more than ten thousand million'],
    [{ StockCode: ' ' }, 'has no stock code'],
    [{ InvoiceNo: '' }, 'has no invoice number'],
    [
      { InvoiceDate: '12/1/2010 8:26' },
      'has no date like 2010-12-01 08:26:00 but "12/1/2010 8:26"',
    ],
    [{ InvoiceDate: '2010-02-30 08:26:00' }, expect.stringContaining('has no date')],
    [{ Country: 'x'.repeat(61) }, 'has a country of more than 60 characters'],
  ])('is refused with its row and reason: %j', (row, reason) => {
    const document = only(row)
    expect(document.refusals).toEqual([{ row: 2, reason }])
    expect(ends(document)).toEqual(['refusals'])
  })

  it('does not keep the others of its document out', () => {
    expect(ends(only({ Quantity: 'six' }, {}))).toEqual(['refusals', 'order lines'])
  })

  it('without an invoice stands together with its equals only', () => {
    const { documents } = plan(
      { InvoiceNo: '' },
      { InvoiceNo: '' },
      { InvoiceNo: '', Quantity: '2' },
    )
    expect(documents.map(({ outcomes: ends }) => ends.size)).toEqual([2, 1])
  })
})

describe('products and customers', () => {
  it('are one product whatever the case of its code, under the name that was paid for', () => {
    const { products } = plan(
      { StockCode: '85123a', UnitPrice: '0', Description: '?' },
      { StockCode: '85123A', Description: 'HOLDER' },
    )
    expect([...products.values()]).toMatchObject([
      { sku: '85123A', name: 'HOLDER', priceMinor: 339 },
    ])
  })

  it('have no price and are named by their code when nobody ever paid', () => {
    const { products } = plan({ CustomerID: '', UnitPrice: '0', Description: 'check' })
    expect([...products.values()]).toMatchObject([{ name: '71053', priceMinor: undefined }])
  })

  it('are one walk-in customer where the row names none', () => {
    const { customers } = plan({ CustomerID: '' }, { CustomerID: '', Country: 'EIRE' }, {})
    expect([...customers.values()].map(({ username, country }) => [username, country])).toEqual([
      ['retail-walk-in', ''],
      ['retail-17850', 'United Kingdom'],
    ])
  })

  it.each(['71053', '85123A', 'DCGS0003', 'DCGSSBOY', 'gift_0001_20', 'SP1002', 'PADS'])(
    'sees goods in %s',
    code => expect(isGoods(code)).toBe(true),
  )

  it.each([
    'POST',
    'DOT',
    'M',
    'm',
    'D',
    'S',
    'C2',
    'C3',
    'B',
    'CRUK',
    'BANK CHARGES',
    'AMAZONFEE',
  ])('sees no goods in %s', code => expect(isGoods(code)).toBe(false))

  it.each(['ADJUST', 'ADJUST2', 'TEST001', 'TEST0001'])('sees no goods in %s', code =>
    expect(isGoods(code)).toBe(false),
  )

  it('prefers names that were paid for to printed ones, and printed ones to notes', () => {
    expect(nameRank('Doctor Jam', true)).toBe(2)
    expect(nameRank('OWL DOORSTOP', false)).toBe(1)
    expect(nameRank('thrown away', false)).toBe(0)
  })
})

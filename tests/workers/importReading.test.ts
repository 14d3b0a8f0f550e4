// Reading a ledger: CSV, plain or gzip, and one clear sentence for what is not one.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { parseLedger, readLedger } from '../../src/workers/imports/ledger/readLedger.ts'
import { ledgerText } from '../support/ledger.ts'
import { temporaryDirectory } from '../support/servers.ts'

const parse = (text: string) => parseLedger(Buffer.from(text), 'ledger.csv')

describe('a ledger', () => {
  it('reads the same plain and compressed', async () => {
    const directory = await temporaryDirectory()
    const text = ledgerText([{ Description: 'LANTERN, "LARGE"\nRED £' }, {}])
    await writeFile(join(directory, 'plain.csv'), text)
    await writeFile(join(directory, 'packed'), gzipSync(text))
    const plain = await readLedger(join(directory, 'plain.csv'))
    expect(plain).toEqual(await readLedger(join(directory, 'packed')))
    expect(plain[0]?.description).toBe('LANTERN, "LARGE"\nRED £')
    expect(plain.map(({ row }) => row)).toEqual([2, 3])
  })

  it('may begin with a byte order mark and have its columns in another order', () => {
    const text =
      '\ufeffPrice,Customer ID,Country,Invoice,StockCode,Description,Quantity,InvoiceDate\r\n' +
      '2.55,17850,EIRE,536365,85123A,HOLDER,6,2010-12-01 08:26\r\n'
    expect(parse(text)).toMatchObject([{ price: '2.55', customer: '17850', invoice: '536365' }])
  })

  it('keeps a quote inside an unquoted field, skips blank lines and counts them', () => {
    const text = ledgerText([{}]).replace('WHITE METAL', '7" METAL')
    const rows = parse(`${text}\n${text.split('\n')[1]}\n`)
    expect(rows.map(({ row }) => row)).toEqual([2, 4])
    expect(rows[0]?.description).toBe('7" METAL LANTERN')
  })

  it('keeps a row with too few or too many fields, with its fault', () => {
    const [row] = parse(`${ledgerText([])}536365,85123A,HOLDER\n`)
    expect(row).toMatchObject({ row: 2, fault: 'has 3 fields instead of 8' })
  })
})

describe('what is not a ledger', () => {
  it.each([
    ['', 'ledger.csv is empty'],
    ['a,b\n1,2\n', 'ledger.csv has no ledger header'],
    ['InvoiceNo;StockCode\n', 'ledger.csv has no ledger header'],
    [`${ledgerText([{}])}536366,"never closed\n`, 'ledger.csv is not a CSV file'],
    ['PK\u0003\u0004\u0000', 'ledger.csv is not a CSV file'],
  ])('is refused with a sentence: %j', (text, sentence) => {
    expect(() => parse(text)).toThrow(sentence)
  })

  it('is refused when it is not UTF-8', () => {
    const bytes = Buffer.from(ledgerText([{ Description: '£' }]), 'latin1')
    expect(() => parseLedger(bytes, 'ledger.csv')).toThrow('ledger.csv is not UTF-8 text')
  })

  it('is refused when it is missing, a directory or damaged', async () => {
    const directory = await temporaryDirectory()
    const damaged = join(directory, 'damaged.gz')
    await writeFile(damaged, gzipSync(ledgerText([{}])).subarray(0, 60))
    await expect(readLedger(join(directory, 'none.csv'))).rejects.toThrow('there is no such file')
    await expect(readLedger(directory)).rejects.toThrow('is a directory')
    await expect(readLedger(damaged)).rejects.toThrow('is a damaged gzip file')
  })
})

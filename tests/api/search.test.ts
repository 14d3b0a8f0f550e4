// Searching products over HTTP: accents, beginnings of words, misspellings, what comes first.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogue } from '../../src/projections/catalogue/catalogue.ts'
import { rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import { gbp, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let after = ''
const names = new Map<string, string>()

const shelf: Record<string, object> = {
  cafe: { name: 'Café au lait bowl', sku: 'BOWL-7', description: 'Stoneware, for the morning.' },
  kettle: { name: 'Whistling kettle', sku: 'KT-100', description: 'Brushed steel.' },
  trivet: {
    name: 'Trivet',
    sku: 'TR-1',
    description: 'Goes with the whistling kettle. 100% cork.',
  },
  creme: { name: 'Crème brûlée torch', sku: 'TORCH-2', description: 'Gas, with a stand.' },
  cards: { name: 'Playing cards', sku: 'PC-52', description: 'Linen finish, two jokers.' },
  strasse: { name: 'Straßenlaterne', sku: 'LT-9', description: 'Ein Licht für den Garten.' },
  tools: { name: '日本茶道具セット', sku: 'JP-1', description: '桐箱入り。' },
  keys: { name: '한국어키보드', sku: 'KR-1', description: '' },
  router: { name: 'Wi-Fi router', sku: 'XK-100-B/2', description: 'With two aerials.' },
  wires: { name: 'Cable', sku: 'CB-1', description: 'For a wifi router.' },
  pot: { name: 'Teapot', sku: 'TP-1', description: 'Cast iron.' },
  twoWords: { name: 'Glass tea pot', sku: 'TP-2', description: '' },
  book: { name: 'C++ by example', sku: 'BK-1', description: '' },
  sharp: { name: 'C# by example', sku: 'BK-2', description: '' },
  chai: { name: 'Чайник', sku: 'RU-1', description: 'Медный.' },
}
beforeAll(async () => {
  app = await startTestApp()
  const games = await app.admin.client.post('/categories', { name: 'Games & Pastimes' })
  for (const [key, details] of Object.entries(shelf)) {
    const more = key === 'cards' ? { categoryId: games.body.id } : {}
    const { id, position } = await newProduct(app, { ...details, ...more, price: gbp(100) })
    names.set(id, key)
    after = position
  }
})
afterAll(() => app?.close())

/** Of the products above those that are found; the sample catalogue is there too. */
async function find(search: string) {
  const path = `/products?pageSize=100&search=${encodeURIComponent(search)}`
  const { body } = await app.anyone.get(path, { after })
  return body.data.flatMap(({ id }) => names.get(String(id)) ?? [])
}

const findings: [string, string[]][] = [
  ['cafe', ['cafe']],
  ['CAFÉ', ['cafe']],
  ['creme brulee', ['creme']],
  ['strassenlaterne', ['strasse']],
  ['чайник', ['chai']],
  ['whist', ['kettle', 'trivet']],
  ['kettle whistling', ['kettle', 'trivet']],
  ['kettel', ['kettle', 'trivet']],
  ['wistling', ['kettle', 'trivet']],
  ['plyaing cards', ['cards']],
  ['jokers', ['cards']],
  ['pastimes', ['cards']],
  ['tr-1', ['trivet']],
  ['TR-1', ['trivet']],
  ['kt-100', ['kettle']],
  ['100%', ['router', 'kettle', 'trivet']],
  ['bowl-7', ['cafe']],
  ['xylophone', []],
  ['_', []],
  ['%', []],
  ["'", []],
  ['& | ! ( ) :*', []],
  ["kettle' | 'cards", []],
  ['plyaing jokers', ['cards']],
  ['茶道', ['tools']],
  ['セット', ['tools']],
  ['桐箱', ['tools']],
  ['道茶', []],
  ['키보드', ['keys']],
  ['XK100B2', ['router']],
  ['xk 100 b2', ['router']],
  ['xk-100-b/2', ['router']],
  ['wifi', ['router', 'wires']],
  ['wi-fi', ['router', 'wires']],
  ['wi fi router', ['router', 'wires']],
  ['tea pot', ['twoWords', 'pot']],
  ['teapot', ['pot', 'twoWords']],
  ['glass teapot', ['twoWords']],
  ['C++', ['book']],
  ['c++ example', ['book']],
  ['C#', ['sharp']],
  ['kettel 100', ['kettle', 'trivet']],
]

describe('a search for', () => {
  it.each(findings)('%s finds what was meant, the best first', async (search, expected) => {
    expect(await find(search)).toEqual(expected)
  })

  it('nothing but spaces is none', async () => {
    expect(new Set(await find('   ')).size).toBe(names.size)
  })
})

describe('a rebuilt catalogue', () => {
  it('is searched like the one before', async () => {
    const { db, eventStore, codec } = app.back
    const log = rebuildLog({ eventStore, codec })
    await rebuild(db, [catalogue], { ...log, onProgress: () => undefined })
    for (const [search, expected] of findings) expect(await find(search), search).toEqual(expected)
    const { body } = await app.anyone.get('/products?search=cafe&ordering=name', { after })
    expect(body.total).toBe(1)
  })
})

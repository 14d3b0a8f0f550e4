// Rules over two streams hold however two commands meet, and wherever one of them dies.
import { describe, expect, it } from 'vitest'
import {
  changeCategory,
  createCategory,
  deleteCategory,
} from '../../src/commands/catalogue/categories.ts'
import {
  changeProduct,
  createProduct,
  deleteProduct,
  restoreProduct,
} from '../../src/commands/catalogue/products.ts'
import type { App } from '../../src/commands/core/app.ts'
import type { Answer } from '../../src/commands/core/command.ts'
import { step, systemEnvelope } from '../../src/commands/core/envelope.ts'
import { derivedId, digestOf } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import type { Category } from '../../src/domain/catalogue/category.ts'
import type { Product } from '../../src/domain/catalogue/product.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { type EventStore, Unavailable } from '../../src/ports/eventStore.ts'
import { gbp } from '../support/samples.ts'
import { testSeals } from '../support/testSeals.ts'

const now = () => systemEnvelope('test', new Date())
const unpaid = () => Promise.reject(new Error('nobody pays here'))
/** No read model at all: it would only hide what the claims have to find. */
const removal = deleteCategory(async () => 0)

/** Nothing here is personal: all processes can share it. */
const codec = createCodec(eventSchemas, testSeals())

/** One process: what it remembers is its own, the log is everybody's. */
function startProcess(eventStore: EventStore): App {
  return createApp({
    eventStore,
    codec,
    cache: streamCaches(100),
    fingerprint: digestOf,
    clock: () => new Date(),
    payments: { name: 'none', charge: unpaid, refund: unpaid, find: unpaid, moved: unpaid },
    currency: 'GBP',
  } as unknown as Parameters<typeof createApp>[0])
}

/** A log that stops before or after an append: there `pause` decides what happens. */
function stopping(
  log: EventStore,
  nth: number,
  when: string,
  pause: () => Promise<void>,
): EventStore {
  let appends = 0
  return {
    ...log,
    async append(...asked) {
      appends += 1
      const isIt = appends === nth
      if (isIt && when === 'before') await pause()
      const done = await log.append(...asked)
      if (isIt && when === 'after') await pause()
      return done
    },
  }
}

const dies = async () => {
  throw new Unavailable('the process has died')
}

interface World {
  log: EventStore
  app: App
  categoryId: string
  productId: string
}

function idOf(answer: Answer): string {
  if (isRejection(answer)) throw new Error(answer.detail)
  return answer.id
}

/** A category without products, and a deleted product with the SKU OLD. */
async function world(): Promise<World> {
  const log = memoryEventStore()
  const app = startProcess(log)
  const categoryId = idOf(await createCategory.run(app, { name: 'Lamps' }, now()))
  const made = await createProduct.run(app, { name: 'Old', sku: 'OLD', price: gbp(1) }, now())
  const productId = idOf(made)
  await deleteProduct.run(app, { productId }, now())
  return { log, app, categoryId, productId }
}

type Act = (app: App, world: World, envelope?: Envelope) => Promise<Answer>
const creates: Act = (app, { categoryId }, envelope = now()) =>
  createProduct.run(app, { name: 'New', sku: 'OLD', price: gbp(2), categoryId }, envelope)
const createsElsewhere: Act = (app, _, envelope = now()) =>
  createProduct.run(app, { name: 'Else', sku: 'OLD', price: gbp(3) }, envelope)
const restores: Act = (app, { productId }, envelope = now()) =>
  restoreProduct.run(app, { productId }, envelope)
const removes: Act = (app, { categoryId }, envelope = now()) =>
  removal.run(app, { categoryId }, envelope)
const names: Act = (app, _, envelope = now()) =>
  createCategory.run(app, { name: 'Chairs' }, envelope)
const renames: Act = (app, { categoryId }, envelope = now()) =>
  changeCategory.run(app, { categoryId, name: 'Chairs' }, envelope)
const moves: Act = async (app, { categoryId }, envelope = now()) => {
  const making = step(envelope, 'making')
  const made = await createProduct.run(app, { name: 'Moved', sku: 'M', price: gbp(4) }, making)
  return isRejection(made)
    ? made
    : changeProduct.run(app, { productId: made.id, categoryId }, envelope)
}

/** The products and categories that are in the shop now, read anew from the log. */
async function listedIn(log: EventStore, app: App) {
  const products: Extract<Product, { status: 'listed' }>[] = []
  const categories: Extract<Category, { status: 'listed' }>[] = []
  for await (const { type, data } of log.readAll()) {
    if (type === 'ProductCreated') {
      const { state } = await app.products.load(String(data.productId))
      if (state.status === 'listed') products.push(state)
    }
    if (type === 'CategoryCreated') {
      const { state } = await app.categories.load(String(data.categoryId))
      if (state.status === 'listed') categories.push(state)
    }
  }
  return { products, categories }
}

/** What must hold whatever has happened. */
async function findings(log: EventStore): Promise<string[]> {
  const app = startProcess(log)
  const { products, categories } = await listedIn(log, app)
  const found: string[] = []
  for (const { sku, productId, categoryId } of products) {
    const claim = await app.skuClaims.load(encodeURIComponent(sku))
    if (claim.state.productId !== productId) found.push(`${sku} is not its own`)
    const isThere = categories.some(each => each.categoryId === categoryId)
    if (categoryId !== null && !isThere) found.push(`${sku} is in a deleted category`)
  }
  const skus = products.map(({ sku }) => sku)
  const names = categories.map(({ name }) => name)
  if (new Set(skus).size < skus.length) found.push(`one SKU twice: ${skus}`)
  if (new Set(names).size < names.length) found.push(`one name twice: ${names}`)
  return found
}

const pairs: [string, string, Act, Act][] = [
  ['a product is created', 'one with its SKU is created', creates, createsElsewhere],
  ['a product is created', 'its category is deleted', creates, removes],
  ['a product is moved', 'its category is deleted', moves, removes],
  ['a category is deleted', 'a product is created in it', removes, creates],
  ['a category is deleted', 'a product is moved into it', removes, moves],
  ['a product is restored', 'one with its SKU is created', restores, createsElsewhere],
  ['a product is created', 'one with its SKU is restored', createsElsewhere, restores],
  ['a category is created', 'another gets its name', names, renames],
  ['a category is renamed', 'one of that name is created', renames, names],
  ['a category is renamed', 'it is deleted', renames, removes],
]

const moments = [1, 2, 3, 4, 5, 6].flatMap(nth => [
  [nth, 'before'] as const,
  [nth, 'after'] as const,
])

describe.each(pairs)('while %s, %s', (_, __, slow, quick) => {
  it.each(moments)('keeps the rules at append %i, %s it', async (nth, when) => {
    const at = await world()
    const pause = async () => {
      await quick(startProcess(at.log), at)
    }
    const answer = await slow(startProcess(stopping(at.log, nth, when, pause)), at)
    expect(answer).toBeDefined()
    expect(await findings(at.log)).toEqual([])
  })
})

describe('a category that gets its name back while it is renamed', () => {
  it.each(moments)('keeps it, the rename being held up at append %i, %s it', async (nth, when) => {
    const at = await world()
    const { state } = await at.app.categories.load(at.categoryId)
    const name = state.status === 'listed' ? state.name : ''
    const pause = async () => {
      await changeCategory.run(startProcess(at.log), { categoryId: at.categoryId, name }, now())
    }
    await renames(startProcess(stopping(at.log, nth, when, pause)), at)
    await createCategory.run(startProcess(at.log), { name }, now())
    expect(await findings(at.log)).toEqual([])
  })
})

describe.each(pairs)('where %s and its process dies, and then %s', (_, __, slow, quick) => {
  it.each(moments)('a repeat keeps the rules, after append %i, %s it', async (nth, when) => {
    const at = await world()
    const envelope = now()
    const dying = startProcess(stopping(at.log, nth, when, dies))
    await slow(dying, at, envelope).catch(() => undefined)
    await quick(startProcess(at.log), at)
    const answer = await slow(startProcess(at.log), at, envelope)
    expect(answer).toBeDefined()
    expect(await findings(at.log)).toEqual([])
  })
})

describe.each<[string, Act]>([
  ['creating a product', creates],
  ['restoring a product', restores],
  ['creating a category', names],
  ['renaming a category', renames],
])('%s that died', (_, act) => {
  it.each(moments)('at append %i, %s it, leaves nothing taken', async (nth, when) => {
    const at = await world()
    await act(startProcess(stopping(at.log, nth, when, dies)), at).catch(() => undefined)
    // Somebody else, who knows nothing of it, gets what they ask for, or it is really in use.
    const next = await (act === creates || act === restores ? createsElsewhere : names)(
      startProcess(at.log),
      at,
    )
    const isDone = !isRejection(next)
    expect(isDone || (await isInUse(at, act))).toBe(true)
    expect(await findings(at.log)).toEqual([])
  })
})

/** Whether what died had come to its end all the same. */
async function isInUse({ log, categoryId, productId }: World, act: Act): Promise<boolean> {
  const app = startProcess(log)
  if (act === restores) return (await app.products.load(productId)).state.status === 'listed'
  if (act === renames) {
    const { state } = await app.categories.load(categoryId)
    return state.status === 'listed' && state.name === 'Chairs'
  }
  const wanted = act === creates ? ['ProductCreated', 'New'] : ['CategoryCreated', 'Chairs']
  for await (const { type, data } of log.readAll()) {
    if (type === wanted[0] && data.name === wanted[1]) return true
  }
  return false
}

describe('a deleted product', () => {
  it('gives its SKU to the next one, and is restored only while nobody has it', async () => {
    const at = await world()
    expect(await restores(at.app, at)).toMatchObject({ id: at.productId })
    expect(await createsElsewhere(at.app, at)).toMatchObject({ rejected: 'product/sku-taken' })
    await deleteProduct.run(at.app, { productId: at.productId }, now())
    expect(isRejection(await createsElsewhere(at.app, at))).toBe(false)
    expect(await restores(at.app, at)).toMatchObject({ rejected: 'product/sku-taken' })
  })
})

describe('what is changed at the moment at which it comes to be', () => {
  /** Reads at which another process may get in between. */
  const reads = [1, 2, 3, 4]

  /** A log that lets another process act before a read of a stream. */
  function interrupted(log: EventStore, nth: number, stream: string, act: () => Promise<unknown>) {
    let count = 0
    const interrupt = async (read: string) => {
      if (read === stream) count += 1
      if (read === stream && count === nth) await act()
    }
    const store: EventStore = {
      ...log,
      async read(ranges) {
        for (const range of ranges) await interrupt(range.stream)
        return log.read(ranges)
      },
    }
    return startProcess(store)
  }

  it.each(reads)('gets no name without a claim, at read %i', async nth => {
    const at = await world()
    const envelope = now()
    const categoryId = derivedId(envelope.commandId, 'category')
    const make = async () => {
      await createCategory.run(startProcess(at.log), { name: 'Desks' }, envelope)
      await names(startProcess(at.log), at)
    }
    const app = interrupted(at.log, nth, `category-${categoryId}`, make)
    expect(await changeCategory.run(app, { categoryId, name: 'Chairs' }, now())).toBeDefined()
    expect(await findings(at.log)).toEqual([])
  })

  it.each(reads)('comes into no category without a claim, at read %i', async nth => {
    const at = await world()
    const envelope = now()
    const productId = derivedId(envelope.commandId, 'product')
    const product = { name: 'New', sku: 'N', price: gbp(5) }
    const make = () => createProduct.run(startProcess(at.log), product, envelope)
    const app = interrupted(at.log, nth, `product-${productId}`, make)
    const move = { productId, categoryId: at.categoryId }
    expect(await changeProduct.run(app, move, now())).toBeDefined()
    await removes(startProcess(at.log), at)
    expect(await findings(at.log)).toEqual([])
  })
})

describe('a category', () => {
  it('can be deleted once its products are gone, moved or deleted', async () => {
    const at = await world()
    const productId = idOf(await creates(at.app, at))
    expect(await removes(at.app, at)).toMatchObject({ rejected: 'category/in-use' })
    await changeProduct.run(at.app, { productId, categoryId: null }, now())
    expect(isRejection(await removes(at.app, at))).toBe(false)
    expect(await moves(at.app, at)).toMatchObject({ rejected: 'category/not-found' })
  })
})

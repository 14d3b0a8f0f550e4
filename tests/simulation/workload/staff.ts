// What the staff asks for: products, stock, categories, images.
import { idOf } from '../../../src/commands/core/ids.ts'
import {
  type Asked,
  categoryIdOf,
  type FollowUp,
  hot,
  type Known,
  type Maker,
  pick,
  productIdOf,
  soonMs,
} from './known.ts'

const names = ['Tea', 'Pots', 'Cups']
const gbp = (amount: number) => ({ amount, currency: 'GBP' })

/** Often the newest. */
const aCategory = ({ random, categories }: Known) =>
  random.next() < 0.4 ? categories.at(-1) : pick(random, categories)

function renaming({ random }: Known, categoryId: string): Asked {
  return { name: 'ChangeCategory', input: { categoryId, name: pick(random, names) }, by: 'admin' }
}

/** While its first command is under way, others rename a category, or want the same name. */
function fightFor(known: Known, categoryId: string, { input }: Asked): FollowUp[] {
  const { random } = known
  const other = pick(random, known.categories)
  const wanted = { name: input.name }
  const rivals: Asked[] = [renaming(known, categoryId)]
  rivals.push({ name: 'CreateCategory', input: wanted, by: 'admin' })
  if (other !== undefined) {
    const input = { categoryId: other, ...wanted }
    rivals.push({ name: 'ChangeCategory', input, by: 'admin' })
  }
  return rivals.flatMap(rival =>
    random.next() < 0.25 ? [{ ...rival, afterMs: soonMs(known) }] : [],
  )
}

function image(known: Known) {
  const imageId = idOf('image', `${known.random.next()}`)
  const hash = 'ab'.repeat(32)
  return { imageId, hash, type: 'image/png', width: 10, height: 10, alt: 'A cup' }
}

/** About a product, or nothing where there is none. */
function aboutProduct(name: string, weight: number, more: (known: Known) => object): Maker {
  return {
    name,
    weight,
    make(known) {
      const productId = hot(known)
      return productId === undefined
        ? undefined
        : { input: { productId, ...more(known) }, by: 'admin' }
    },
  }
}

const reasons = ['received', 'damaged', 'lost', 'found'] as const

export const staff: readonly Maker[] = [
  {
    name: 'CreateProduct',
    weight: 3,
    make(known) {
      const { random, skus } = known
      const categoryId = aCategory(known) ?? null
      const stock = random.between(0, 5)
      const price = gbp(random.between(0, 900))
      return {
        input: { name: 'A cup', sku: pick(random, skus), price, stock, categoryId },
        by: 'admin',
      }
    },
    learn({ products }, commandId) {
      products.push(productIdOf(commandId))
    },
    // Another product under the same SKU, as when somebody clicks again.
    next: (known, _, asked) =>
      known.random.next() < 0.5 ? [{ ...asked, afterMs: soonMs(known) }] : [],
  },
  aboutProduct('ChangeProduct', 3, known => {
    const { random } = known
    const price = gbp(random.between(1, 900))
    return random.next() < 0.5 ? { price } : { categoryId: aCategory(known) ?? null }
  }),
  // What any process shows of a stock in great demand.
  {
    name: 'read',
    weight: 9,
    make(known) {
      const productId = hot(known)
      return productId === undefined
        ? undefined
        : { input: { stream: `stock-${productId}` }, by: 'admin' }
    },
  },
  {
    ...aboutProduct('DeleteProduct', 1, () => ({})),
    // It comes back while another takes its SKU.
    next(known, _, { input }) {
      const restoring: FollowUp = {
        name: 'RestoreProduct',
        input,
        by: 'admin',
        afterMs: soonMs(known),
      }
      return known.random.next() < 0.6 ? [restoring] : []
    },
  },
  aboutProduct('RestoreProduct', 2, () => ({})),
  aboutProduct('CountStock', 2, ({ random }) => ({ counted: random.between(0, 8) })),
  aboutProduct('AdjustStock', 4, ({ random }) => ({
    delta: random.pick([-2, -1, 1, 2, 4]),
    reason: random.pick([...reasons]),
  })),
  aboutProduct('AddProductImage', 1, known => {
    const made = image(known)
    known.images.push({ of: 'product', imageId: made.imageId })
    return made
  }),
  aboutProduct('RemoveProductImage', 1, ({ random, images }) => ({
    imageId: pick(random, images)?.imageId ?? idOf('image', 'none'),
  })),
  {
    name: 'CreateCategory',
    weight: 2,
    make: ({ random }) => ({ input: { name: pick(random, names) }, by: 'admin' }),
    learn({ categories }, commandId) {
      categories.push(categoryIdOf(commandId))
    },
    next: (known, commandId, asked) => fightFor(known, categoryIdOf(commandId), asked),
  },
  {
    name: 'ChangeCategory',
    weight: 2,
    make(known) {
      const categoryId = aCategory(known)
      return categoryId === undefined ? undefined : renaming(known, categoryId)
    },
    next: (known, _, asked) => fightFor(known, String(asked.input.categoryId), asked),
  },
  {
    name: 'DeleteCategory',
    weight: 2,
    make(known) {
      const categoryId = aCategory(known)
      return categoryId === undefined ? undefined : { input: { categoryId }, by: 'admin' }
    },
  },
  {
    name: 'SetCategoryImage',
    weight: 1,
    make(known) {
      const categoryId = aCategory(known)
      if (categoryId === undefined) return undefined
      return { input: { categoryId, ...image(known) }, by: 'admin' }
    },
  },
  {
    name: 'RemoveCategoryImage',
    weight: 1,
    make(known) {
      const categoryId = aCategory(known)
      return categoryId === undefined ? undefined : { input: { categoryId }, by: 'admin' }
    },
  },
]

// The sample catalogue of a new shop: 6 categories, 30 products, made through the real commands.

import { createCategory } from '../commands/catalogue/categories.ts'
import { createProduct } from '../commands/catalogue/products.ts'
import { execute } from '../commands/core/command.ts'
import { systemEnvelope } from '../commands/core/envelope.ts'
import { derivedId, idOf } from '../commands/core/ids.ts'
import { exponentOf } from '../domain/kernel/money.ts'
import { isRejection } from '../domain/kernel/rejection.ts'
import { startOfLog } from '../kit/position.ts'
import type { AppServices } from './openServices.ts'

type Sample = readonly [name: string, price: number, stock: number, description: string]

const categories: Readonly<Record<string, { description: string; products: readonly Sample[] }>> = {
  Kitchen: {
    description: 'For those who cook.',
    products: [
      ['Cast Iron Skillet 26 cm', 39, 40, 'Seasoned, with a helper handle. Keeps its heat.'],
      ['Chef’s Knife 20 cm', 64, 25, 'Forged steel, full tang, walnut handle.'],
      ['Stoneware Mixing Bowl', 22, 60, 'Two litres, glazed inside, with a lip for pouring.'],
      ['Beechwood Spoon Set', 14, 80, 'Three spoons, oiled, each from one piece.'],
      ['Moka Pot, 3 cups', 28, 8, 'Aluminium, for gas and electric hobs.'],
    ],
  },
  Garden: {
    description: 'For what grows.',
    products: [
      ['Hand Trowel', 17, 50, 'Stainless steel with an ash handle.'],
      ['Watering Can 5 l', 31, 30, 'Galvanised, with a brass rose.'],
      ['Wildflower Seed Mix', 6, 200, 'Thirty native kinds for ten square metres.'],
      ['Terracotta Pot 18 cm', 9, 90, 'With a hole and a saucer.'],
      ['Pruning Shears', 42, 12, 'Bypass blades that can be sharpened and replaced.'],
    ],
  },
  Stationery: {
    description: 'For those who write.',
    products: [
      ['Dotted Notebook A5', 12, 150, '192 pages of 100 g paper, lies flat.'],
      ['Fountain Pen, Fine', 35, 20, 'Steel nib, converter included.'],
      ['Bottled Ink, Blue-Black', 11, 45, 'Fifty millilitres, water resistant.'],
      ['Brass Pencil Sharpener', 8, 70, 'One hole, a blade that lasts.'],
      ['Correspondence Set', 19, 0, 'Forty sheets and twenty lined envelopes.'],
    ],
  },
  Lighting: {
    description: 'For the evening.',
    products: [
      ['Desk Lamp', 79, 15, 'Jointed arm, warm white LED, dimmable.'],
      ['Paper Lantern 40 cm', 16, 60, 'Rice paper on a bamboo frame.'],
      ['Beeswax Candles, pair', 10, 100, 'Twenty-five centimetres, ten hours each.'],
      ['String Lights 10 m', 24, 40, 'One hundred lights with a timer, for in and outdoors.'],
      ['Bedside Lamp', 46, 9, 'Ceramic foot, linen shade.'],
    ],
  },
  Textiles: {
    description: 'For warmth.',
    products: [
      ['Wool Blanket', 95, 18, 'Lambswool, 130 by 180 centimetres, fringed.'],
      ['Linen Tea Towels, 3', 21, 75, 'Washed linen, with a loop.'],
      ['Cotton Cushion Cover', 18, 55, 'Forty-five centimetres square, with a zip.'],
      ['Apron', 27, 35, 'Heavy cotton, one pocket, long ties.'],
      ['Knitted Hat', 23, 5, 'Merino, in one size that stretches.'],
    ],
  },
  Games: {
    description: 'For a rainy day.',
    products: [
      ['Wooden Chess Set', 58, 14, 'Weighted pieces, folding board.'],
      ['Playing Cards', 7, 120, 'Linen finish, two jokers.'],
      ['Jigsaw Puzzle, 1000 pieces', 20, 33, 'A map of the night sky.'],
      ['Spinning Top', 5, 140, 'Turned from maple, painted by hand.'],
      ['Dominoes', 15, 26, 'Double six, in a tin.'],
    ],
  },
}

/**
 * Fills a shop that has never had an event with its sample catalogue, and says how many products
 * that were. The ids follow from the names, so two processes that start at once make one catalogue.
 */
export async function seedCatalogue({ eventStore, app }: AppServices): Promise<number> {
  if ((await eventStore.head()) > startOfLog) return 0
  const named = Object.entries(categories)
  const counts = await Promise.all(
    named.map(async ([name, { description, products }]) => {
      const commandId = idOf('sample', 'category', name)
      const envelope = systemEnvelope('sample-catalogue', app.clock.now(), commandId)
      const made = await execute(app, createCategory, { name, description }, envelope)
      if (isRejection(made)) throw new Error(made.detail)
      const categoryId = made.id
      await Promise.all(products.map((sample, at) => list(app, { sample, categoryId, at })))
      return products.length
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

async function list(
  app: AppServices['app'],
  { sample, categoryId, at }: { sample: Sample; categoryId: string; at: number },
): Promise<void> {
  const [name, price, stock, description] = sample
  const amount = price * 10 ** exponentOf(app.currency)
  const commandId = derivedId(categoryId, `sample/${name}`)
  const made = await execute(
    app,
    createProduct,
    {
      name,
      description,
      sku: `SAMPLE-${categoryId.slice(0, 4)}-${at + 1}`,
      price: { amount, currency: app.currency },
      categoryId,
      featured: at === 0,
      stock,
    },
    systemEnvelope('sample-catalogue', app.clock.now(), commandId),
  )
  if (isRejection(made)) throw new Error(made.detail)
}

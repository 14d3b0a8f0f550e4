// Rules that span streams, each decided by a claim in one stream: a SKU, the name of a category,
// the use of a category. A claim whose command died is free for the next one that asks, without a
// clock: the stream of its holder is told first that its unused claims are void, so that a command
// of it that is still under way is refused (docs/decisions/0024-claims.md).
import * as category from '../../domain/catalogue/category.ts'
import {
  type CategoryName,
  claimNameAnew,
  takeNameOver,
} from '../../domain/catalogue/categoryName.ts'
import * as product from '../../domain/catalogue/product.ts'
import {
  claimAnew,
  normalizeSku,
  type SkuClaim,
  takeOver,
} from '../../domain/catalogue/skuClaim.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { normalizeName } from '../../domain/kernel/text.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { step } from '../core/envelope.ts'
import { idOf, newId } from '../core/ids.ts'
import type { Outcome } from '../core/plan.ts'

/** A claim that others keep taking over is given up after so many tries. */
const triesMax = 4

/** A step that no repeat of the command takes for one that has been taken already. */
function anew(envelope: Envelope): Envelope {
  return { ...step(envelope), commandId: newId(), once: true }
}

/**
 * A refusal, where what was claimed is somebody else's: an append whose answer was lost is found in
 * the log, and others may have taken it over since.
 */
function refusalOf<State>(
  claimed: Outcome<State>,
  isOurs: (state: State) => boolean,
  lost: Rejection,
): Rejection | undefined {
  if (isRejection(claimed)) return claimed
  return isOurs(claimed.state) ? undefined : lost
}

export const skuStream = (sku: string) => encodeURIComponent(normalizeSku(sku))

/** The stream of a name; its words can be of any script and length. */
export const nameStream = (name: string) => idOf('category-name', normalizeName(name))

/** Claims a SKU for a product, if need be from a product that is deleted or was never created. */
export async function claimSku(
  app: App,
  { sku, productId }: { sku: string; productId: string },
  envelope: Envelope,
): Promise<Rejection | undefined> {
  const stream = skuStream(sku)
  const isOurs = (state: SkuClaim) => state.productId === productId
  const lost = reject('product/sku-taken', `Another product has the SKU ${sku}.`, { sku })
  const claimed = await app.skuClaims.decide(stream, anew(envelope), state =>
    claimAnew(state, sku, productId),
  )
  let refused = refusalOf(claimed, isOurs, lost)
  for (let tries = 1; refused?.rejected === 'product/sku-taken' && tries <= triesMax; tries += 1) {
    const { state: seen } = await app.skuClaims.load(stream)
    if (!isOurs(seen) && !(await isSkuUnused(app, seen, anew(envelope)))) return refused
    const taken = await app.skuClaims.decide(stream, anew(envelope), state =>
      isOurs(state) ? claimAnew(state, sku, productId) : takeOver(state, sku, { productId, seen }),
    )
    refused = refusalOf(taken, isOurs, lost)
  }
  return refused
}

/** Whether a SKU is free; where it is, no command of its product can use it any more. */
async function isSkuUnused(app: App, { productId }: SkuClaim, envelope: Envelope) {
  if (productId === null) return true
  const voided = await app.products.decide(productId, envelope, state =>
    product.voidClaims(state, productId, now => now.status === 'listed'),
  )
  return !isRejection(voided) && voided.state.status !== 'listed'
}

/** Claims a name for a category, if need be from one that does not use it. */
export async function claimCategoryName(
  app: App,
  naming: { name: string; categoryId: string },
  envelope: Envelope,
): Promise<Rejection | undefined> {
  const { name, categoryId } = naming
  const stream = nameStream(name)
  const isOurs = (state: CategoryName) => state.categoryId === categoryId
  const lost = reject('category/exists', `There is a category ${name} already.`)
  const claimed = await app.categoryNames.decide(stream, anew(envelope), state =>
    claimNameAnew(state, naming),
  )
  let refused = refusalOf(claimed, isOurs, lost)
  for (let tries = 1; refused?.rejected === 'category/exists' && tries <= triesMax; tries += 1) {
    const { state: seen } = await app.categoryNames.load(stream)
    const voiding = { name, envelope: anew(envelope) }
    if (!isOurs(seen) && !(await isNameUnused(app, seen, voiding))) return refused
    const taken = await app.categoryNames.decide(stream, anew(envelope), state =>
      isOurs(state) ? claimNameAnew(state, naming) : takeNameOver(state, naming, seen),
    )
    refused = refusalOf(taken, isOurs, lost)
  }
  return refused
}

async function isNameUnused(
  app: App,
  { categoryId }: CategoryName,
  { name, envelope }: { name: string; envelope: Envelope },
) {
  if (categoryId === null) return true
  const uses = (state: category.Category) =>
    state.status === 'listed' && normalizeName(state.name) === normalizeName(name)
  const voided = await app.categories.decide(categoryId, envelope, state =>
    category.voidClaims(state, categoryId, uses),
  )
  return !isRejection(voided) && !uses(voided.state)
}

/** Claims a category for a product that is about to be in it; refuses where there is none. */
export async function claimCategory(
  app: App,
  { categoryId, productId }: { categoryId: string | null | undefined; productId: string },
  envelope: Envelope,
): Promise<Rejection | undefined> {
  if (categoryId === undefined || categoryId === null) return undefined
  const used = await app.categories.decide(categoryId, anew(envelope), state =>
    category.use(state, categoryId, productId),
  )
  return isRejection(used) ? used : undefined
}

/**
 * The claims on a category that no product uses, now or by a command that is under way. Undefined
 * as soon as a product is found in it.
 */
export async function unusedClaims(
  app: App,
  categoryId: string,
  envelope: Envelope,
): Promise<category.Uses | undefined> {
  const { state } = await app.categories.load(categoryId)
  const isIn = (now: product.Product) => now.status === 'listed' && now.categoryId === categoryId
  const unused = new Map<string, number>()
  for (const [productId, claim] of category.usesBeyond(state, unused)) {
    const { state: now } = await app.products.load(productId)
    if (isIn(now)) return undefined
    const voided = await app.products.decide(productId, anew(envelope), at =>
      product.voidClaims(at, productId, isIn),
    )
    if (isRejection(voided) || isIn(voided.state)) return undefined
    unused.set(productId, claim)
  }
  return unused
}

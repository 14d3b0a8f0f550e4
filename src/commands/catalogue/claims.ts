// Rules that span streams, each decided by a claim in one stream: a SKU, the name of a category,
// the use of a category. A claim whose command died can be taken over, without a clock: an event in
// the stream of its holder voids the unused claims first, so that a command of the holder that is
// still under way is refused (docs/decisions/0024-claims.md).
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
import type { Decision, DomainEvent } from '../../domain/kernel/aggregate.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { normalizeName } from '../../domain/kernel/text.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { step } from '../core/envelope.ts'
import { idOf, newId } from '../core/ids.ts'
import type { Repository } from '../core/repositoryTypes.ts'

/** How often a claim is tried that another command takes over each time. */
const triesMax = 4

/** Each attempt has an id of its own: an earlier one may have been taken over since. */
const unkeyed = { idempotency: 'none' } as const

function newStep(envelope: Envelope): Envelope {
  return { ...step(envelope), commandId: newId() }
}

export const skuStream = (sku: string) => encodeURIComponent(normalizeSku(sku))

/** The stream of a name; its words can be of any script and length. */
export const nameStream = (name: string) => idOf('category-name', normalizeName(name))

interface Claim<State, Event extends DomainEvent> {
  repository: Repository<State, Event>
  stream: string
  isOurs(state: State): boolean
  claim(state: State): Decision<Event>
  /** Takes it over from the holder in a state that was loaded. */
  takeOver(state: State, loaded: State): Decision<Event>
  /** Whether its holder does not use it; from then on no command of the holder can. */
  isUnused(loaded: State): Promise<boolean>
  /** The refusal where another holder has it. */
  refusal: Rejection
}

/** Makes a claim, if need be by taking it over from a holder that does not use it. */
async function makeClaim<State, Event extends DomainEvent>(
  { repository, stream, isOurs, claim, takeOver, isUnused, refusal }: Claim<State, Event>,
  envelope: Envelope,
): Promise<Rejection | undefined> {
  const attempt = async (decide: (state: State) => Decision<Event>) => {
    const claimed = await repository.decide(stream, newStep(envelope), decide, unkeyed)
    if (isRejection(claimed)) return claimed
    // An append whose answer was lost is found in the log, where it may have been taken over.
    return isOurs(claimed.state) ? undefined : refusal
  }
  let refused = await attempt(claim)
  for (let tries = 1; refused?.rejected === refusal.rejected && tries <= triesMax; tries += 1) {
    const { state: loaded } = await repository.load(stream)
    if (!isOurs(loaded) && !(await isUnused(loaded))) return refused
    refused = await attempt(state => (isOurs(state) ? claim(state) : takeOver(state, loaded)))
  }
  return refused
}

/** Claims a SKU for a product, if need be from a product that is deleted or was never created. */
export function claimSku(
  app: App,
  { sku, productId }: { sku: string; productId: string },
  envelope: Envelope,
): Promise<Rejection | undefined> {
  return makeClaim(
    {
      repository: app.skuClaims,
      stream: skuStream(sku),
      isOurs: state => state.productId === productId,
      claim: state => claimAnew(state, sku, productId),
      takeOver: (state, seen) => takeOver(state, sku, { productId, seen }),
      isUnused: loaded => isSkuUnused(app, loaded, envelope),
      refusal: reject('product/sku-taken', `Another product has the SKU ${sku}.`, { sku }),
    },
    envelope,
  )
}

async function isSkuUnused(app: App, { productId }: SkuClaim, envelope: Envelope) {
  if (productId === null) return true
  const decide = (state: product.Product) =>
    product.voidClaims(state, productId, now => now.status === 'listed')
  const voided = await app.products.decide(productId, newStep(envelope), decide, unkeyed)
  return !isRejection(voided) && voided.state.status !== 'listed'
}

/** Claims a name for a category, if need be from one that does not use it. */
export function claimCategoryName(
  app: App,
  naming: { name: string; categoryId: string },
  envelope: Envelope,
): Promise<Rejection | undefined> {
  const { name, categoryId } = naming
  return makeClaim(
    {
      repository: app.categoryNames,
      stream: nameStream(name),
      isOurs: state => state.categoryId === categoryId,
      claim: state => claimNameAnew(state, naming),
      takeOver: (state, loaded) => takeNameOver(state, naming, loaded),
      isUnused: loaded => isNameUnused(app, loaded, { name, envelope }),
      refusal: reject('category/exists', `There is a category ${name} already.`),
    },
    envelope,
  )
}

async function isNameUnused(
  app: App,
  { categoryId }: CategoryName,
  { name, envelope }: { name: string; envelope: Envelope },
) {
  if (categoryId === null) return true
  const uses = (state: category.Category) =>
    state.status === 'listed' && normalizeName(state.name) === normalizeName(name)
  const decide = (state: category.Category) => category.voidClaims(state, categoryId, uses)
  const voided = await app.categories.decide(categoryId, newStep(envelope), decide, unkeyed)
  return !isRejection(voided) && !uses(voided.state)
}

/** Claims a category for a product; refuses where there is no such category. */
export async function claimCategory(
  app: App,
  { categoryId, productId }: { categoryId: string | null | undefined; productId: string },
  envelope: Envelope,
): Promise<Rejection | undefined> {
  if (categoryId === undefined || categoryId === null) return undefined
  const decide = (state: category.Category) => category.use(state, categoryId, productId)
  const used = await app.categories.decide(categoryId, newStep(envelope), decide, unkeyed)
  return isRejection(used) ? used : undefined
}

/**
 * The claims on a category that no product uses, and no command that is under way can use any more.
 * Undefined where a product is in it.
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
    const decide = (at: product.Product) => product.voidClaims(at, productId, isIn)
    const voided = await app.products.decide(productId, newStep(envelope), decide, unkeyed)
    if (isRejection(voided) || isIn(voided.state)) return undefined
    unused.set(productId, claim)
  }
  return unused
}

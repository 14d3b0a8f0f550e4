// Commands on categories. A name is claimed before it is used.
import Type from 'typebox'
import * as category from '../../domain/catalogue/category.ts'
import { releaseName } from '../../domain/catalogue/categoryName.ts'
import { isRejection, reject } from '../../domain/kernel/rejection.ts'
import { multiline, Name, normalizeName } from '../../domain/kernel/text.ts'
import { Id, strict } from '../../domain/kernel/types.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { unlessUnreadable } from '../core/brokenStream.ts'
import { accepted, type Command } from '../core/command.ts'
import { step } from '../core/envelope.ts'
import { derivedId } from '../core/ids.ts'
import { claimCategoryName, nameStream, unusedClaims } from './claims.ts'

interface Naming {
  name: string
  categoryId: string
}

function releaseOldName(app: App, envelope: Envelope, naming: Naming) {
  return app.categoryNames.decide(nameStream(naming.name), step(envelope, 'old name'), state =>
    releaseName(state, naming),
  )
}

const CreateCategory = Type.Object(
  {
    name: Name,
    description: Type.Optional(multiline(10_000, { minLength: 0 })),
    active: Type.Optional(Type.Boolean()),
  },
  strict,
)

export const createCategory: Command<typeof CreateCategory> = {
  name: 'CreateCategory',
  roles: ['admin'],
  input: CreateCategory,
  async run(app, input, envelope) {
    const categoryId = derivedId(envelope.commandId, 'category')
    const { name, description = '', active = true } = input
    const { revision } = await app.categories.load(categoryId)
    // A repeat has its name; another request under the same key must not take one.
    if (revision < 0) {
      const refused = await claimCategoryName(app, { name, categoryId }, envelope)
      if (refused !== undefined) return refused
    }
    const created = await app.categories.decide(categoryId, envelope, state =>
      category.create(state, { categoryId, name, description, active }),
    )
    return isRejection(created) ? created : accepted(categoryId, created)
  },
}

const ChangeCategory = Type.Object(
  {
    categoryId: Id,
    name: Type.Optional(Name),
    description: Type.Optional(multiline(10_000, { minLength: 0 })),
    active: Type.Optional(Type.Boolean()),
  },
  strict,
)

export const changeCategory: Command<typeof ChangeCategory> = {
  name: 'ChangeCategory',
  roles: ['admin'],
  input: ChangeCategory,
  async run(app, input, envelope) {
    const { categoryId, name } = input
    const { commandId } = envelope
    const [{ state }, processed] = await Promise.all([
      app.categories.load(categoryId),
      app.categories.processed(categoryId, [commandId]),
    ])
    if (name === undefined || processed.has(commandId) || !isRename(state, name)) {
      let needsClaim = false
      const changed = await app.categories.decide(categoryId, envelope, now => {
        // It may have been renamed or created since it was loaded.
        needsClaim = name !== undefined && isRename(now, name)
        return needsClaim ? nameFirst() : category.change(now, input)
      })
      if (!isRejection(changed)) return accepted(categoryId, changed)
      if (!needsClaim || name === undefined) return changed
    }
    return rename(app, { ...input, name }, envelope)
  },
}

/** Whether a category would get another name, which has to be claimed before. */
function isRename(state: category.Category, name: string) {
  return state.status === 'listed' && !isSame(name, state.name)
}

const nameFirst = () => reject('category/exists', 'Its name has to be claimed first.')

function isSame(one: string, other: string) {
  return normalizeName(one) === normalizeName(other)
}

async function rename(
  app: App,
  input: category.CategoryChange & { name: string },
  envelope: Envelope,
) {
  const { categoryId, name } = input
  const voided = category.voidedOf((await app.categories.load(categoryId)).state)
  const refused = await claimCategoryName(app, { name, categoryId }, envelope)
  if (refused !== undefined) return refused
  const changed = await app.categories.decide(categoryId, envelope, state =>
    category.change(state, input, voided),
  )
  // The old name stays claimed until another category asks for it: released now, a rename that has
  // claimed it since could lose it.
  return isRejection(changed) ? changed : accepted(categoryId, changed)
}

const DeleteCategory = Type.Object({ categoryId: Id }, strict)

/**
 * The command that deletes a category. `productsIn` counts the products that belong to one: those
 * from before products claimed their category are known to a read model alone.
 */
export function deleteCategory(
  productsIn: (categoryId: string) => Promise<number>,
): Command<typeof DeleteCategory> {
  return {
    name: 'DeleteCategory',
    roles: ['admin'],
    input: DeleteCategory,
    async run(app, { categoryId }, envelope) {
      const products = await productsIn(categoryId)
      const unused = products > 0 ? undefined : await unusedClaims(app, categoryId, envelope)
      const known =
        unused === undefined ? { products: Math.max(1, products) } : { products, unused }
      const deleted = await app.categories.decide(categoryId, envelope, state =>
        category.remove(state, categoryId, known),
      )
      if (isRejection(deleted)) return deleted
      const { state } = deleted
      if (state.status === 'deleted') {
        // A name that could not be released can be refused over.
        await unlessUnreadable(releaseOldName(app, envelope, { name: state.name, categoryId }))
      }
      return accepted(categoryId, deleted)
    },
  }
}

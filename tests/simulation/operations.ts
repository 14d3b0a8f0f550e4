// Everything that can be asked of a process: the commands of the shop, and what is made of several.

import type { TObject } from 'typebox'
import { Value } from 'typebox/value'
import { erasePerson } from '../../src/commands/account/erasure.ts'
import { mergeCart } from '../../src/commands/cart/mergeCart.ts'
import { deleteCategory } from '../../src/commands/catalogue/categories.ts'
import { importProduct, type ProductRow } from '../../src/commands/catalogue/importProduct.ts'
import { type Answer, accepted, type Command, execute } from '../../src/commands/core/command.ts'
import { commands } from '../../src/commands/index.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { createDatabase } from '../../src/infra/postgres/database.ts'
import { startOfLog } from '../../src/kit/position.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { request as requestRebuild } from '../../src/projections/rebuild/rebuildStates.ts'
import type { Services, ShopProcess } from './shopNode.ts'
import { projections } from './worker.ts'
import { guestCartIdOf } from './workload/known.ts'

type On = ShopProcess & { services: Services }
type Input = Readonly<Record<string, unknown>>
export type Operation = (on: On, input: Input, envelope: Envelope) => Promise<Answer | undefined>

/** A command as the routes publish it: what does not fit its schema never reaches it. */
function published<Schema extends TObject>(command: Command<Schema>): [string, Operation] {
  return [
    command.name,
    ({ app }, input, envelope) => {
      if (!Value.Check(command.input, input)) {
        throw new Error(`the workload asks for ${command.name} with ${JSON.stringify(input)}`)
      }
      return execute(app, command, input, envelope)
    },
  ]
}

/** Done, where it is not about one stream. */
function done(id: string, position = startOfLog): Answer {
  return accepted(id, { revision: -1, position, replayed: false })
}

const signIn: Operation = async ({ app }, { guest }, envelope) => {
  const { actor } = envelope
  if (actor.role === 'anonymous') return undefined
  const from = guestCartIdOf(String(guest))
  const position = await mergeCart(app, { from, customerId: actor.id }, envelope)
  return done(actor.id, position)
}

const importRow: Operation = async ({ app }, input, envelope) => {
  const row = await importProduct(app, input as unknown as ProductRow, envelope)
  return isRejection(row) ? row : done(row.productId)
}

const erase: Operation = async ({ app, services, process }, input, envelope) => {
  const { world, erased, server } = services
  const customerId = String(input.customerId)
  const write = (key: string, work: () => void) => world.call(process, { kind: 'write', key }, work)
  const orderIds = server
    .rowsOf('orders')
    .flatMap(row => (row.customer_id === customerId ? [String(row.order_id)] : []))
  const services_ = {
    accounts: { forget: () => write('forget', () => void erased.add(customerId)) },
    erasures: {
      assertWritable: () => write('erasure list', () => undefined),
      add: () => write('erasure list', () => undefined),
    },
  }
  const cancelOpen = input.cancelOpen === true
  const outcome = await erasePerson(
    app,
    services_ as unknown as Parameters<typeof erasePerson>[1],
    { customerId, envelope, orderIds, cancelOpen },
  )
  return isRejection(outcome) ? outcome : done(customerId, outcome)
}

/** What a process shows of a stream. */
const read: Operation = async ({ app }, { stream }) => {
  const [category, id] = splitAtDash(String(stream))
  if (category === 'stock') {
    const { state, revision, position } = await app.stock.load(id)
    const shown = { onHand: state.onHand, reserved: state.reservedTotal }
    return accepted(id, { revision, position, replayed: false }, shown)
  }
  const repository = { cart: app.carts, order: app.orders, product: app.products }[category]
  if (repository === undefined) return undefined
  const { revision, position } = await repository.load(id)
  return accepted(id, { revision, position, replayed: false })
}

/** A read model is to be built anew: some worker will do it. */
const rebuild: Operation = async ({ pool }, { projection }) => {
  const wanted = projections.find(({ name }) => name === projection)
  if (wanted === undefined) return undefined
  await requestRebuild(createDatabase(pool), wanted)
  return done(wanted.name)
}

function splitAtDash(stream: string): ['cart' | 'order' | 'product' | 'stock', string] {
  const at = stream.indexOf('-')
  return [stream.slice(0, at) as 'cart', stream.slice(at + 1)]
}

const noProducts = async () => 0

/** By name, as requests name them. */
export const operations: Readonly<Record<string, Operation>> = {
  ...Object.fromEntries([...commands.map(published), published(deleteCategory(noProducts))]),
  EraseCustomer: erase,
  SignIn: signIn,
  ImportRow: importRow,
  Rebuild: rebuild,
  read,
}

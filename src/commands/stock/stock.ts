// Commands on stock.
import Type from 'typebox'
import { reject } from '../../domain/kernel/rejection.ts'
import { multiline } from '../../domain/kernel/text.ts'
import { Id, strict } from '../../domain/kernel/types.ts'
import * as stock from '../../domain/stock/stock.ts'
import type { App } from '../core/app.ts'
import { command } from '../core/command.ts'

async function missingProduct(app: App, { productId }: { productId: string }) {
  const { state } = await app.products.load(productId)
  if (state.status !== 'none') return undefined
  return reject('product/not-found', 'There is no such product.')
}

export const countStock = command({
  name: 'CountStock',
  roles: ['admin', 'warehouse'],
  input: Type.Object(
    {
      productId: Id,
      counted: Type.Integer({ minimum: 0, maximum: 10_000_000 }),
      note: Type.Optional(multiline(500)),
    },
    strict,
  ),
  repository: app => app.stock,
  id: input => input.productId,
  load: missingProduct,
  decide: (state, input) => stock.countPieces(state, input),
})

export const adjustStock = command({
  name: 'AdjustStock',
  roles: ['admin', 'warehouse'],
  input: Type.Object(
    {
      productId: Id,
      delta: Type.Integer({
        minimum: -10_000_000,
        maximum: 10_000_000,
        not: { const: 0 },
        description: 'Pieces in, or below zero out; 0 would book nothing',
      }),
      reason: stock.AdjustmentReason,
      note: Type.Optional(multiline(500)),
    },
    strict,
  ),
  repository: app => app.stock,
  id: input => input.productId,
  load: missingProduct,
  decide: (state, input) => stock.adjust(state, input),
})

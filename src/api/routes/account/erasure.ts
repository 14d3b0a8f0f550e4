// Erasing oneself over HTTP, and the certificate that says what became of it.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import {
  type ErasureRequest,
  eraseOneself,
  erasePerson,
  readErasure,
} from '../../../commands/account/erasure.ts'
import { isRejection, type Rejection } from '../../../domain/kernel/rejection.ts'
import { line, secret } from '../../../domain/kernel/text.ts'
import { Id, roles, strict } from '../../../domain/kernel/types.ts'
import type { Position as LogPosition } from '../../../kit/position.ts'
import { ListUnavailable } from '../../../ports/erasure.ts'
import {
  countReadable,
  forgetEverywhere,
  personalColumns,
} from '../../../projections/forgetting.ts'
import { projections } from '../../../projections/index.ts'
import { unfinishedOrders } from '../../../projections/order/personOrders.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { claimantOf } from '../../http/limitKeys.ts'
import { HttpProblem, sendRejection } from '../../http/problems.ts'
import { envelopeOf } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
import { Position, text, time } from '../../http/schemas.ts'
import { accountsFor } from './passwordQueue.ts'

const cancelOpenOrders = Type.Optional(
  Type.Boolean({ description: 'Whether open orders are cancelled and paid back first' }),
)
const EraseBody = Type.Object({ password: secret(200), cancelOpenOrders }, strict)
const RequestedBody = Type.Object(
  {
    requestReference: line(200, {
      description: 'Where the request of the person is kept, such as the number of a ticket',
    }),
    cancelOpenOrders,
  },
  strict,
)
const RequestedParams = Type.Object({ customerId: Id }, strict)

export const Certificate = Type.Object(
  {
    customerId: Id,
    erasedAt: time,
    position: Position,
    what: Type.Array(text(500), { maxItems: 50 }),
    checks: Type.Array(Type.Object({ name: text(500), passed: Type.Boolean() }, strict), {
      maxItems: 50,
    }),
  },
  strict,
)

/** Publishes the erasure of whoever is signed in. */
export function erasureRoutes(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'DELETE',
    url: '/auth/profile',
    access: roles,
    config: { fresh: true },
    summary: 'Erase your account and personal data; orders and amounts remain',
    tag: 'Accounts',
    operationId: 'eraseProfile',
    description: 'This cannot be undone: the key of your personal data is destroyed.',
    body: EraseBody,
    answer: Certificate,
    async handle(request, reply) {
      const customerId = signedIn(request)
      const { password, cancelOpenOrders: cancelOpen = false } = request.body
      // The digest of what was asked goes into the log: the password must not be part of it.
      const envelope = envelopeOf(context, request, { customerId, cancelOpen })
      const orderIds = await openOrdersOf(context, request, customerId)
      const accounts = accountsFor(context, request, 'own')
      const erasure = { customerId, password, envelope, orderIds, cancelOpen }
      return answer(context, { request, reply, customerId }, () =>
        eraseOneself(context.app, accounts, erasure),
      )
    },
  })
  publish(server, {
    method: 'POST',
    url: '/admin/users/:customerId/erase',
    access: ['admin'],
    config: { fresh: true },
    summary: 'Erase a person on their recorded request, with or without an account',
    tag: 'Admin',
    operationId: 'erasePerson',
    params: RequestedParams,
    body: RequestedBody,
    answer: Certificate,
    async handle(request, reply) {
      const { customerId } = request.params
      const { requestReference, cancelOpenOrders: cancelOpen = false } = request.body
      const asked = { customerId, requestReference, cancelOpen }
      const envelope = envelopeOf(context, request, asked)
      const orderIds = await openOrdersOf(context, request, customerId)
      const erasure: ErasureRequest = { ...asked, envelope, orderIds }
      return answer(context, { request, reply, customerId }, () =>
        erasePerson(context.app, context.accounts, erasure),
      )
    },
  })
}

/** Orders of a person that may owe something, when the read models have all that has happened. */
async function openOrdersOf(
  context: ApiContext,
  request: FastifyRequest,
  customerId: string,
): Promise<string[]> {
  const claimant = claimantOf(request)
  const wanted = await context.eventStore.head()
  const reached = await Promise.all(
    ['orders', 'orderProcesses'].map(projection =>
      context.positions.reached({ projection, wanted, claimant }),
    ),
  )
  if (reached.some(position => position < wanted)) {
    throw new HttpProblem(
      'request/projection-behind',
      'The read model of orders is behind. Try again.',
    )
  }
  return unfinishedOrders(context.db, customerId)
}

/** Nothing has been done yet: whoever is erased has to be on the list that backups do not undo. */
function refuseUnlisted(error: unknown): never {
  if (!(error instanceof ListUnavailable)) throw error
  throw new HttpProblem(
    'request/unavailable',
    `The erasure could not be recorded in AUDIT_DIR (${error.reason}). ` +
      'Nothing has been changed: try again once it is writable.',
  )
}

async function answer(
  context: ApiContext,
  on: { request: FastifyRequest; reply: FastifyReply; customerId: string },
  erase: () => Promise<Rejection | LogPosition>,
) {
  const { request, reply, customerId } = on
  const position = await erase().catch(refuseUnlisted)
  if (isRejection(position)) return sendRejection(reply, position)
  await forgetEverywhere(context.db, customerId)
  request.log.info({ event: 'person-erased' }, 'person erased')
  reply.header('x-position', String(position))
  const certificate = await certificateOf(context, request, customerId)
  return isRejection(certificate) ? sendRejection(reply, certificate) : certificate
}

const personalTables = [...new Set(personalColumns.map(({ table }) => table))]

/** What can be shown of an erasure now: every check is made anew. */
export async function certificateOf(
  context: ApiContext,
  request: FastifyRequest,
  customerId: string,
) {
  const erasure = await readErasure(context.app, context.accounts, customerId)
  if (isRejection(erasure)) return erasure
  const { position, erasedAt, what, checks } = erasure
  const claimant = claimantOf(request)
  const read = await Promise.all(
    projections
      .filter(({ tables }) => tables.some(table => personalTables.includes(table)))
      .map(({ name: projection }) =>
        context.positions.reached({ projection, wanted: position, claimant }),
      ),
  )
  const isRead = read.every(each => each >= position)
  const left = await countReadable(context.db, customerId)
  return {
    customerId,
    erasedAt: erasedAt.toISOString(),
    position: String(position),
    what,
    checks: [
      ...checks,
      ...personalTables.map(table => ({
        name: `No table "${table}" shows anything, also where a rebuild keeps or fills one`,
        passed: isRead && left.every(each => each.table !== table || each.rows === 0),
      })),
    ],
  }
}

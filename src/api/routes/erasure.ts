// Erasing oneself over HTTP, and the certificate that says what became of it.
import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { erasePerson, readErasure } from '../../commands/erasure.ts'
import { isRejection } from '../../domain/rejection.ts'
import { secret } from '../../domain/text.ts'
import { Id, roles, strict } from '../../domain/types.ts'
import { projections } from '../../projections/index.ts'
import { countReadable, forgetEverywhere, personalColumns } from '../../projections/personal.ts'
import { signedIn } from '../actor.ts'
import type { ApiContext } from '../context.ts'
import { accountsFor } from '../passwordTurns.ts'
import { sendRejection } from '../problems.ts'
import { envelopeOf } from '../requests.ts'
import { Position, problemResponses, text, time } from '../schemas.ts'

const EraseBody = Type.Object({ password: secret(200) }, strict)

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
export function erasureRoutes(app: FastifyInstance, context: ApiContext): void {
  app.delete<{ Body: Static<typeof EraseBody> }>(
    '/auth/profile',
    {
      config: { access: roles, fresh: true },
      schema: {
        summary: 'Have yourself erased, for good; orders and amounts stay, without you',
        tags: ['Accounts'],
        operationId: 'eraseProfile',
        body: EraseBody,
        response: { 200: Certificate, ...problemResponses },
      },
    },
    async (request, reply) => {
      const customerId = signedIn(request)
      // The digest of what was asked goes into the log: the password must not be part of it.
      const envelope = envelopeOf(context, request, { customerId })
      const { password } = request.body
      const erasure = { customerId, password, envelope }
      const accounts = accountsFor(context, request, 'own')
      const position = await erasePerson(context.shop, accounts, erasure)
      if (isRejection(position)) return sendRejection(reply, position)
      await forgetEverywhere(context.db, customerId)
      request.log.info({ event: 'person-erased' }, 'person erased')
      reply.header('x-position', String(position))
      const certificate = await certificateOf(context, customerId)
      return isRejection(certificate) ? sendRejection(reply, certificate) : certificate
    },
  )
}

const personalTables = [...new Set(personalColumns.map(({ table }) => table))]

/** What can be shown of an erasure now: every check is made anew. */
export async function certificateOf(context: ApiContext, customerId: string) {
  const erasure = await readErasure(context.shop, context.accounts, customerId)
  if (isRejection(erasure)) return erasure
  const { position, erasedAt, what, checks } = erasure
  const read = await Promise.all(
    projections
      .filter(({ tables }) => tables.some(table => personalTables.includes(table)))
      .map(({ name: projection }) =>
        context.positions.reached({ projection, wanted: position, isAnonymous: false }),
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

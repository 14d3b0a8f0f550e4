// The profile of whoever is signed in, and the keys that tokens are signed with.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { accountWithPassword, wrongPassword } from '../../../commands/account/passwords.ts'
import { movesAccount, profileChange } from '../../../commands/account/profile.ts'
import { digestOf } from '../../../commands/core/ids.ts'
import { roles } from '../../../domain/kernel/types.ts'
import { signedIn } from '../../http/actor.ts'
import { isUnchanged } from '../../http/caching.ts'
import { commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { Profile } from './accountSchemas.ts'
import { accountsFor } from './passwordQueue.ts'
import { addressState, shownProfile } from './shownProfile.ts'

const tag = 'Accounts'

/** Publishes the profile. */
export function profileRoutes(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    // Straight from the customer's stream: always the newest.
    from: [],
    url: '/auth/profile',
    access: roles,
    summary: 'Get your profile',
    operationId: 'getProfile',
    answer: Profile,
    async handle(request, reply) {
      const { state, revision } = await context.app.customers.load(signedIn(request))
      if (state.status !== 'registered')
        throw new HttpProblem('customer/not-found', 'No such customer.')
      const address = await addressState(context, state.customerId)
      const variant = digestOf(address).slice(0, 8)
      if (isUnchanged(request, reply, revision, variant)) return reply.status(304).send()
      return shownProfile(state, address)
    },
  })
  server.register(async changing => {
    changing.addHook('preHandler', request => requirePassword(context, request))
    for (const method of ['PUT', 'PATCH'] as const) {
      commandRoute(changing, context, {
        tag,
        method,
        url: '/auth/profile',
        command: profileChange(context.accounts),
        description: 'Fields that are not sent remain unchanged.',
        changes: true,
        summary:
          'Change your profile: the fields that are sent, null to empty one; another address ' +
          'needs currentPassword, and is used once the link that is mailed to it is opened',
      })
    }
  })
}

/**
 * Whoever has the address can have the password reset: a token that was stolen must not be enough
 * to move an account. Throws a 403 problem where the password is wrong or was left out.
 */
async function requirePassword(context: ApiContext, request: FastifyRequest) {
  const { app } = context
  const accounts = accountsFor(context, request, 'own')
  const { email, currentPassword } = fieldsOf(request.body)
  const customerId = signedIn(request)
  if (typeof email !== 'string') return
  if (!(await movesAccount(app, accounts, { customerId, email }))) return
  const isKnown =
    typeof currentPassword === 'string' &&
    (await accountWithPassword(app, accounts, customerId, currentPassword)) !== undefined
  if (isKnown) return
  const { rejected, detail, extra } = wrongPassword('/currentPassword')
  throw new HttpProblem(rejected, detail, extra)
}

function fieldsOf(body: unknown): { email?: unknown; currentPassword?: unknown } {
  return typeof body === 'object' && body !== null ? body : {}
}

/** The keys with which others can check our tokens; under the root, not under /api. */
export function keyRoutes(server: FastifyInstance, context: ApiContext): void {
  server.get(
    '/.well-known/jwks.json',
    { config: { access: 'public' }, schema: { hide: true } },
    () => context.accounts.tokens.jwks(),
  )
}

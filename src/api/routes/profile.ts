// The profile of whoever is signed in, and the keys that tokens are signed with.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { movesAccount, profileChange } from '../../commands/profile.ts'
import { roles } from '../../domain/types.ts'
import { signedIn } from '../actor.ts'
import { commandRoute } from '../commandRoute.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import { readRoute } from '../readRoute.ts'
import { isUnchanged } from '../requests.ts'
import { Profile } from '../schemas.ts'

const tag = 'Accounts'

const emptyProfile = {
  email: null,
  firstName: null,
  lastName: null,
  phoneNumber: null,
  dateOfBirth: null,
  address: null,
  city: null,
  postalCode: null,
  country: null,
}

/** Publishes the profile. */
export function profileRoutes(app: FastifyInstance, context: ApiContext): void {
  readRoute(app, context, {
    tag,
    // Straight from the customer's stream: always the newest.
    from: [],
    url: '/auth/profile',
    access: roles,
    summary: 'Your profile',
    operationId: 'getProfile',
    answer: Profile,
    async handle(request, reply) {
      const { state, revision } = await context.shop.customers.load(signedIn(request))
      if (state.status !== 'registered')
        throw new HttpProblem('customer/not-found', 'No such customer.')
      if (isUnchanged(request, reply, revision)) return reply.status(304).send()
      const { customerId: id, username, roles: own } = state
      return { ...emptyProfile, ...state.profile, id, username, roles: own }
    },
  })
  app.register(async changing => {
    changing.addHook('preHandler', request => requireRecent(context, request))
    for (const method of ['PUT', 'PATCH'] as const) {
      commandRoute(changing, context, {
        tag,
        method,
        url: '/auth/profile',
        command: profileChange(context.accounts),
        summary:
          'Change your profile: the fields that are sent, null to empty one; ' +
          'another address needs a session of the last ten minutes',
      })
    }
  })
}

const recentMs = 600_000

/**
 * Whoever has the address can have the password reset: a token that was stolen must not be enough
 * to move an account. Throws a 403 problem when the session was not opened lately.
 */
async function requireRecent({ shop, accounts }: ApiContext, request: FastifyRequest) {
  const { body } = request
  const email = typeof body === 'object' && body !== null && 'email' in body ? body.email : null
  const customerId = signedIn(request)
  if (typeof email !== 'string' || !(await movesAccount(shop, customerId, email))) return
  const open = await accounts.sessions.list(customerId)
  const session = open.find(({ family }) => family === request.sessionId)
  const age = shop.clock.now().getTime() - (session?.openedAt.getTime() ?? 0)
  if (age < recentMs) return
  throw new HttpProblem('account/sign-in-again', 'Sign in again to change your address.')
}

/** The keys with which others can check our tokens; under the root, not under /api. */
export function keyRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get('/.well-known/jwks.json', { config: { access: 'public' }, schema: { hide: true } }, () =>
    context.accounts.tokens.jwks(),
  )
}

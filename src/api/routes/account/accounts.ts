// Accounts over HTTP: registering, signing in, the profile, the public keys.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { logIn, logOut, refresh, register } from '../../../commands/account/accounts.ts'
import { isRejection, type Rejection } from '../../../domain/kernel/rejection.ts'
import { cutText, line, secret } from '../../../domain/kernel/text.ts'
import { roles, strict } from '../../../domain/kernel/types.ts'
import type { Position } from '../../../kit/position.ts'
import type { ApiContext } from '../../http/context.ts'
import { cartToken, mergeGuestCart } from '../../http/guestCart.ts'
import { HttpProblem, sendProblem, sendRejection } from '../../http/problems.ts'
import { keyHeader, retryOf } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
import { nothing } from '../../http/schemas.ts'
import { SignedIn } from './accountSchemas.ts'
import { accountsFor } from './passwordQueue.ts'

const tag = 'Accounts'
const name = line(254)
const password = secret(200)

const RegisterBody = Type.Object(
  {
    username: name,
    email: name,
    password,
    passwordConfirm: Type.Optional(password),
    firstName: Type.Optional(line(100, { minLength: 0 })),
    lastName: Type.Optional(line(100, { minLength: 0 })),
  },
  strict,
)
const LoginBody = Type.Object(
  { username: Type.Optional(name), email: Type.Optional(name), password },
  strict,
)
const Headers = Type.Object(cartToken)
const RegisterHeaders = Type.Object({
  'idempotency-key': Type.Optional(keyHeader),
  ...cartToken,
})

const RefreshBody = Type.Object({ refresh: secret(200) }, strict)

/** Publishes registering, signing in and signing out. */
export function accountRoutes(server: FastifyInstance, context: ApiContext): void {
  registering(server, context)
  signingIn(server, context)
  signingOut(server, context)
}

function registering(server: FastifyInstance, context: ApiContext): void {
  const { app } = context
  publish(server, {
    method: 'POST',
    url: '/auth/register',
    access: 'public',
    summary: 'Register and sign in',
    tag,
    operationId: 'register',
    description: 'The cart of X-Cart-Token is merged into the new account.',
    headers: RegisterHeaders,
    body: RegisterBody,
    status: 201,
    answer: SignedIn,
    async handle(request, reply) {
      const { passwordConfirm, ...credentials } = request.body
      if (passwordConfirm !== undefined && passwordConfirm !== credentials.password) {
        return sendProblem(reply, 'request/invalid', 'The request body is invalid.', {
          errors: [{ pointer: '/passwordConfirm', detail: 'must equal password' }],
        })
      }
      const device = deviceOf(request)
      const requestedBy = retryOf(context, request, 'register')
      const retry = requestedBy === undefined ? {} : { requestedBy }
      const accounts = accountsFor(context, request, 'registration')
      const registered = await register(app, accounts, { ...credentials, ...retry, device })
      if (isRejection(registered)) return sendRejection(reply, registered)
      const { user, tokens, replayed } = registered
      const position = String((await mergeGuestCart(context, request, user)) ?? registered.position)
      request.writer = user.id
      if (replayed) reply.header('idempotent-replayed', 'true')
      return reply.status(201).header('x-position', position).send({ user, tokens, position })
    },
  })
}

function signingIn(server: FastifyInstance, context: ApiContext): void {
  const { app, accounts } = context
  publish(server, {
    method: 'POST',
    url: '/auth/login',
    access: 'public',
    summary: 'Sign in by username or e-mail address',
    tag,
    operationId: 'logIn',
    description:
      'Send username or email. The cart of X-Cart-Token is merged into that of the account.',
    headers: Headers,
    body: LoginBody,
    answer: SignedIn,
    async handle(request, reply) {
      const { username, email, password: given } = request.body
      const login = username ?? email
      if (login === undefined) {
        throw new HttpProblem('request/invalid', 'Send either username or email.', {
          errors: [{ pointer: '/username', detail: 'is required unless email is sent' }],
        })
      }
      const asked = { login, password: given, device: deviceOf(request) }
      const answer = await logIn(app, accountsFor(context, request, 'sign-in'), asked)
      const position = isRejection(answer)
        ? undefined
        : await mergeGuestCart(context, request, answer.user)
      return sendSignedIn(request, reply, answer, position)
    },
  })
  publish(server, {
    method: 'POST',
    url: '/auth/token/refresh',
    access: 'public',
    summary: 'Exchange a refresh token for a new pair of tokens',
    tag,
    operationId: 'refresh',
    description: 'A refresh token can be used once; using it again later ends its session.',
    body: RefreshBody,
    answer: SignedIn,
    handle: async (request, reply) =>
      sendSignedIn(request, reply, await refresh(app, accounts, request.body)),
  })
}

function signingOut(server: FastifyInstance, { accounts }: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/auth/logout',
    access: roles,
    summary: 'Sign out of this session',
    tag,
    operationId: 'logOut',
    description: 'The refresh token of this session becomes invalid.',
    status: 204,
    answer: nothing('Signed out'),
    async handle(request) {
      if (request.sessionId !== undefined) await logOut(accounts, request.sessionId)
    },
  })
}

/** What a browser or an app calls itself. */
function deviceOf({ headers }: FastifyRequest): string | undefined {
  const agent = headers['user-agent']
  return agent === undefined ? undefined : cutText(agent, 200)
}

function sendSignedIn(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Rejection | Awaited<ReturnType<typeof logIn>>,
  changed?: Position,
) {
  reply.header('cache-control', 'private, no-store')
  if (!isRejection(answer)) {
    if (changed === undefined) return reply.send(answer)
    request.writer = answer.user.id
    const position = String(changed)
    return reply.header('x-position', position).send({ ...answer, position })
  }
  request.log.warn({ event: 'sign-in-refused', code: answer.rejected }, 'sign-in refused')
  return sendRejection(reply, answer)
}

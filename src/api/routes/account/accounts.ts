// Accounts over HTTP: registering, signing in, the profile, the public keys.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { logIn, logOut, refresh, register } from '../../../commands/account/accounts.ts'
import { isRejection, type Rejection } from '../../../domain/kernel/rejection.ts'
import { cutText, line, secret } from '../../../domain/kernel/text.ts'
import { roles, strict } from '../../../domain/kernel/types.ts'
import type { Position } from '../../../kit/position.ts'
import type { ApiContext } from '../../http/context.ts'
import { bringCart, cartToken } from '../../http/guestCart.ts'
import { HttpProblem, sendProblem, sendRejection } from '../../http/problems.ts'
import { keyHeader, retryOf } from '../../http/requests.ts'
import { nothing, problemResponses } from '../../http/schemas.ts'
import { SignedIn } from './accountSchemas.ts'
import { accountsFor } from './passwordQueue.ts'

const tag = 'Accounts'
const open = { access: 'public' as const }
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
  server.post<{ Body: Static<typeof RegisterBody> }>(
    '/auth/register',
    {
      config: open,
      schema: {
        summary: 'Register and sign in',
        tags: [tag],
        operationId: 'register',
        headers: RegisterHeaders,
        body: RegisterBody,
        response: { 201: SignedIn, ...problemResponses },
      },
    },
    async (request, reply) => {
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
      const position = String((await bringCart(context, request, user)) ?? registered.position)
      request.writer = user.id
      if (replayed) reply.header('idempotent-replayed', 'true')
      return reply.status(201).header('x-position', position).send({ user, tokens, position })
    },
  )
}

function signingIn(server: FastifyInstance, context: ApiContext): void {
  const { app, accounts } = context
  server.post<{ Body: Static<typeof LoginBody> }>(
    '/auth/login',
    {
      config: open,
      schema: {
        summary: 'Sign in by username or e-mail address',
        tags: [tag],
        operationId: 'logIn',
        headers: Headers,
        body: LoginBody,
        response: { 200: SignedIn, ...problemResponses },
      },
    },
    async (request, reply) => {
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
        : await bringCart(context, request, answer.user)
      return sendSignedIn(request, reply, answer, position)
    },
  )
  server.post<{ Body: Static<typeof RefreshBody> }>(
    '/auth/token/refresh',
    {
      config: open,
      schema: {
        summary: 'Exchange a refresh token for a new pair of tokens',
        tags: [tag],
        operationId: 'refresh',
        body: RefreshBody,
        response: { 200: SignedIn, ...problemResponses },
      },
    },
    async (request, reply) =>
      sendSignedIn(request, reply, await refresh(app, accounts, request.body)),
  )
}

function signingOut(server: FastifyInstance, { accounts }: ApiContext): void {
  server.post(
    '/auth/logout',
    {
      config: { access: roles },
      schema: {
        summary: 'Sign out of this session',
        tags: [tag],
        operationId: 'logOut',
        response: { 204: nothing('Signed out'), ...problemResponses },
      },
    },
    async (request, reply) => {
      if (request.sessionId !== undefined) await logOut(accounts, request.sessionId)
      return reply.status(204).send()
    },
  )
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

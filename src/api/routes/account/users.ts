// Users as admins manage them: finding them, their roles, locking out, certificates of erasure.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { changeUser } from '../../../commands/customer/customer.ts'
import { isRejection } from '../../../domain/kernel/rejection.ts'
import { line } from '../../../domain/kernel/text.ts'
import { Id, Role, strict } from '../../../domain/kernel/types.ts'
import { findUser, listUsers } from '../../../projections/customer/customerQueries.ts'
import { isUnchanged } from '../../http/caching.ts'
import { commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem, sendRejection } from '../../http/problems.ts'
import { listRoute, readRoute } from '../../http/readRoute.ts'
import { count, PageQuery, time } from '../../http/schemas.ts'
import { userFields } from './accountSchemas.ts'
import { Certificate, certificateOf } from './erasure.ts'

const tag = 'Admin'
const readers = ['admin', 'auditor'] as const

const User = Type.Object(
  {
    ...userFields,
    disabled: Type.Boolean(),
    erased: Type.Boolean(),
    revision: count,
    registeredAt: time,
    updatedAt: time,
  },
  strict,
)
const UserQuery = Type.Object(
  {
    ...PageQuery,
    search: Type.Optional(line(200)),
    role: Type.Optional(Role),
    disabled: Type.Optional(Type.Boolean()),
  },
  strict,
)
const UserParams = Type.Object({ customerId: Id }, strict)

/** Publishes the management of users. */
export function userRoutes(server: FastifyInstance, context: ApiContext): void {
  listing(server, context)
  showing(server, context)
  commandRoute(server, context, {
    tag,
    method: 'PATCH',
    url: '/admin/users/:customerId',
    command: changeUser,
    description: 'Effective at once, also for tokens that were already issued.',
    changes: true,
    requireMatch: true,
    summary: 'Change the roles of a user, or disable and enable the account',
  })
}

function listing(server: FastifyInstance, context: ApiContext): void {
  listRoute(server, context, {
    tag,
    from: ['customers'],
    url: '/admin/users',
    access: readers,
    summary: 'List users, newest first',
    operationId: 'listUsers',
    query: UserQuery,
    item: User,
    sort: 'time',
    read: ({ query: { search, role, disabled } }, part) =>
      listUsers(context.db, { search, role, disabled }, part),
  })
}

function showing(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    from: ['customers'],
    url: '/admin/users/:customerId',
    access: readers,
    summary: 'Get a user',
    operationId: 'getUser',
    params: UserParams,
    answer: User,
    async handle(request, reply) {
      const user = await findUser(context.db, request.params.customerId)
      if (user === undefined) throw new HttpProblem('customer/not-found', 'No such customer.')
      return isUnchanged(request, reply, user.revision) ? reply.status(304).send() : user
    },
  })
  readRoute(server, context, {
    tag,
    from: [],
    url: '/admin/users/:customerId/erasure',
    access: readers,
    summary: 'Get the certificate of an erasure, with all checks repeated',
    operationId: 'getErasure',
    params: UserParams,
    answer: Certificate,
    async handle(request, reply) {
      const certificate = await certificateOf(context, request, request.params.customerId)
      return isRejection(certificate) ? sendRejection(reply, certificate) : certificate
    },
  })
}

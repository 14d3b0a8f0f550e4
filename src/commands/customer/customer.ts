// Commands on customers. Credentials are stored apart: see infra/accounts/accounts.ts.
import Type from 'typebox'
import * as customer from '../../domain/customer/customer.ts'
import { CountryCode, line, multiline } from '../../domain/kernel/text.ts'
import { Country, Id, Role, roles, strict } from '../../domain/kernel/types.ts'
import { actorId, command, hasRole } from '../core/command.ts'

const nullable = (maxLength: number) => Type.Optional(Type.Union([line(maxLength), Type.Null()]))

/** Run by the shop itself once the credentials are stored. */
export const registerCustomer = command({
  name: 'RegisterCustomer',
  roles: [],
  input: Type.Object(
    {
      customerId: Id,
      username: line(150),
      email: Type.Optional(line(254)),
      firstName: Type.Optional(line(100, { minLength: 0 })),
      lastName: Type.Optional(line(100, { minLength: 0 })),
      country: Type.Optional(Country),
    },
    strict,
  ),
  repository: app => app.customers,
  id: input => input.customerId,
  decide: (state, input) => customer.register(state, input),
  isNew: true,
})

export const changeProfile = command({
  name: 'ChangeProfile',
  roles: ['customer'],
  input: Type.Object(
    {
      email: Type.Optional(line(254, { minLength: 3 })),
      firstName: nullable(100),
      lastName: nullable(100),
      phoneNumber: nullable(40),
      dateOfBirth: Type.Optional(
        Type.Union([Type.String({ format: 'date', maxLength: 10 }), Type.Null()]),
      ),
      address: Type.Optional(Type.Union([multiline(500), Type.Null()])),
      city: nullable(100),
      postalCode: nullable(20),
      country: Type.Optional(Type.Union([CountryCode, Type.Null()])),
    },
    strict,
  ),
  repository: app => app.customers,
  id: (_, { actor }) => actorId(actor) ?? '',
  allowed: (actor, state) => state.status === 'registered' && state.customerId === actorId(actor),
  notFound: 'customer/not-found',
  decide: (state, input) => customer.changeProfile(state, input),
})

/** Run by the shop itself once the owner of the address has confirmed it. */
export const moveAddress = command({
  name: 'MoveAddress',
  roles: [],
  input: Type.Object({ customerId: Id, email: line(254, { minLength: 3 }) }, strict),
  repository: app => app.customers,
  id: input => input.customerId,
  decide: (state, { email }) => customer.changeProfile(state, { email }),
})

const roleInput = Type.Object({ customerId: Id, role: Role }, strict)

export const grantRole = command({
  name: 'GrantRole',
  roles: ['admin'],
  input: roleInput,
  repository: app => app.customers,
  id: input => input.customerId,
  decide: (state, input) => customer.grantRole(state, input.role),
})

export const revokeRole = command({
  name: 'RevokeRole',
  roles: ['admin'],
  input: roleInput,
  repository: app => app.customers,
  id: input => input.customerId,
  decide: (state, input) => customer.revokeRole(state, input.role),
})

export const changeUser = command({
  name: 'ChangeUser',
  roles: ['admin'],
  input: Type.Object(
    {
      customerId: Id,
      roles: Type.Optional(Type.Array(Role, { maxItems: 10, uniqueItems: true })),
      disabled: Type.Optional(Type.Boolean()),
    },
    strict,
  ),
  repository: app => app.customers,
  id: input => input.customerId,
  load: async (_, __, { actor }) => ({ by: actorId(actor) }),
  decide: (state, { customerId: _, ...change }, { by }) => customer.changeUser(state, change, by),
})

/** Run by the shop itself once the account has another password. */
export const notePassword = command({
  name: 'NotePassword',
  roles: [],
  input: Type.Object(
    { customerId: Id, number: Type.Integer({ minimum: 1, maximum: 999_999_999 }) },
    strict,
  ),
  repository: app => app.customers,
  id: input => input.customerId,
  decide: (state, { number }) => customer.notePassword(state, number),
})

/** Published by commands/account/erasure.ts, which settles what is open and destroys the key. */
export const eraseCustomer = command({
  name: 'EraseCustomer',
  roles,
  input: Type.Object({ customerId: Id, requestReference: Type.Optional(line(200)) }, strict),
  repository: app => app.customers,
  id: input => input.customerId,
  allowed: (actor, _, { customerId, requestReference }) =>
    actorId(actor) === customerId || (requestReference !== undefined && hasRole(actor, 'admin')),
  notFound: 'customer/not-found',
  decide: (state, { requestReference }) => customer.erase(state, requestReference),
})

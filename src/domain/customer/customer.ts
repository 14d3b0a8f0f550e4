// A customer: the person, as far as the shop may remember them. Secrets live elsewhere.
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { reject } from '../kernel/rejection.ts'
import type { Role as RoleName } from '../kernel/types.ts'
import { actorOfEvent, Id, Payload, Personal, Role } from '../kernel/types.ts'

/** What a profile may hold; every field is about the person and therefore encrypted in the log. */
export const profileFields = {
  email: Personal({ maxLength: 254 }),
  firstName: Personal({ maxLength: 100 }),
  lastName: Personal({ maxLength: 100 }),
  phoneNumber: Personal({ maxLength: 40 }),
  dateOfBirth: Personal({ maxLength: 10 }),
  address: Personal({ maxLength: 500 }),
  city: Personal({ maxLength: 100 }),
  postalCode: Personal({ maxLength: 20 }),
  country: Personal({ maxLength: 60 }),
}
export const Profile = Type.Partial(Type.Object(profileFields))
export type Profile = Static<typeof Profile>

// Names and payloads are the storage format: they are versioned, never renamed.
export const CustomerEvents = {
  CustomerRegistered: Payload(
    {
      customerId: Id,
      username: Personal({ minLength: 1, maxLength: 150 }),
      email: Type.Optional(profileFields.email),
      firstName: Type.Optional(profileFields.firstName),
      lastName: Type.Optional(profileFields.lastName),
      country: Type.Optional(profileFields.country),
    },
    { subject: 'customerId' },
  ),
  /** The whole profile as it is now; a field that is not there is empty. */
  ProfileChanged: Payload(
    {
      customerId: Id,
      ...Profile.properties,
    },
    { subject: 'customerId' },
  ),
  RoleGranted: Payload({ customerId: Id, role: Role }),
  RoleRevoked: Payload({ customerId: Id, role: Role }),
  /** `number`: how often it has been changed by now. Nothing of the password itself. */
  PasswordChanged: Payload({
    customerId: Id,
    number: Type.Integer({ minimum: 1, maximum: 999_999_999 }),
  }),
  CustomerDisabled: Payload({ customerId: Id }),
  CustomerEnabled: Payload({ customerId: Id }),
  /**
   * The person's key is destroyed next: nothing that was recorded about them can be read again.
   * `requestReference` says on which request an admin has done it, in words that are the admin's.
   */
  CustomerErased: Payload(
    {
      customerId: Id,
      requestReference: Type.Optional(Personal({ minLength: 1, maxLength: 200 })),
    },
    { subject: actorOfEvent, erases: 'customerId' },
  ),
}
export type CustomerEvent = EventOf<typeof CustomerEvents>

export type Customer =
  | { status: 'none' }
  | {
      status: 'registered'
      customerId: string
      username: string
      profile: Profile
      roles: readonly RoleName[]
      disabled: boolean
      /** How often the password was changed; left out where it never was. */
      passwordNumber?: number
    }
  | { status: 'erased'; customerId: string }

export const customer: Aggregate<Customer, CustomerEvent> = {
  category: 'customer',
  events: CustomerEvents,
  initial: { status: 'none' },
  evolve(state, event) {
    if (event.type === 'CustomerRegistered') {
      const { customerId, username, ...profile } = event.data
      const roles: RoleName[] = ['customer']
      return { status: 'registered', customerId, username, profile, roles, disabled: false }
    }
    if (state.status !== 'registered') return state
    switch (event.type) {
      case 'ProfileChanged': {
        const { customerId: _, ...profile } = event.data
        return { ...state, profile }
      }
      case 'RoleGranted':
        return { ...state, roles: [...state.roles, event.data.role] }
      case 'RoleRevoked':
        return { ...state, roles: state.roles.filter(role => role !== event.data.role) }
      case 'PasswordChanged':
        return { ...state, passwordNumber: event.data.number }
      case 'CustomerDisabled':
        return { ...state, disabled: true }
      case 'CustomerEnabled':
        return { ...state, disabled: false }
      case 'CustomerErased':
        return { status: 'erased', customerId: state.customerId }
    }
  },
}

const notFound = () => reject('customer/not-found', 'There is no such customer.')

/** Registers a customer, once. */
export function register(
  state: Customer,
  input: Static<typeof CustomerEvents.CustomerRegistered>,
): Decision<CustomerEvent> {
  if (state.status !== 'none') return []
  return [{ type: 'CustomerRegistered', data: input }]
}

/** Changes the fields that are given; `null` empties one. */
export function changeProfile(
  state: Customer,
  change: { [Field in keyof Profile]?: string | null | undefined },
): Decision<CustomerEvent> {
  if (state.status !== 'registered') return notFound()
  const merged = Object.entries({ ...state.profile, ...defined(change) })
  const profile: Profile = Object.fromEntries(merged.filter(([, value]) => value !== null))
  if (sameProfile(profile, state.profile)) return []
  return [{ type: 'ProfileChanged', data: { customerId: state.customerId, ...profile } }]
}

function defined(change: object) {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}

function sameProfile(a: Profile, b: Profile) {
  const keys = Object.keys(profileFields)
  const text = (profile: Profile) => JSON.stringify(profile, keys)
  return text(a) === text(b)
}

/** Grants a role. */
export function grantRole(state: Customer, role: RoleName): Decision<CustomerEvent> {
  if (state.status !== 'registered') return notFound()
  if (state.roles.includes(role)) return []
  return [{ type: 'RoleGranted', data: { customerId: state.customerId, role } }]
}

/** Revokes a role. */
export function revokeRole(state: Customer, role: RoleName): Decision<CustomerEvent> {
  if (state.status !== 'registered') return notFound()
  if (!state.roles.includes(role)) return []
  return [{ type: 'RoleRevoked', data: { customerId: state.customerId, role } }]
}

/** Records how often the password has been changed, where that is news. */
export function notePassword(state: Customer, number: number): Decision<CustomerEvent> {
  if (state.status !== 'registered') return notFound()
  if (number <= (state.passwordNumber ?? 0)) return []
  return [{ type: 'PasswordChanged', data: { customerId: state.customerId, number } }]
}

export interface UserChange {
  /** All the roles that the person is to have. */
  roles?: readonly RoleName[]
  disabled?: boolean
}

/** Changes roles, and disables or enables the account. Admins cannot reduce their own rights. */
export function changeUser(
  state: Customer,
  change: UserChange,
  by: string | undefined,
): Decision<CustomerEvent> {
  if (state.status !== 'registered') return notFound()
  const { customerId } = state
  const roles = change.roles ?? state.roles
  const disabled = change.disabled ?? state.disabled
  const granted = roles.filter(role => !state.roles.includes(role))
  const revoked = state.roles.filter(role => !roles.includes(role))
  if (by === customerId && (revoked.includes('admin') || disabled)) {
    return reject('customer/own-rights', 'Ask another admin to take your own rights away.')
  }
  const locked: CustomerEvent[] =
    disabled === state.disabled
      ? []
      : [{ type: disabled ? 'CustomerDisabled' : 'CustomerEnabled', data: { customerId } }]
  return [
    ...granted.map((role): CustomerEvent => ({ type: 'RoleGranted', data: { customerId, role } })),
    ...revoked.map((role): CustomerEvent => ({ type: 'RoleRevoked', data: { customerId, role } })),
    ...locked,
  ]
}

/** Erases the person, once. */
export function erase(state: Customer, requestReference?: string): Decision<CustomerEvent> {
  if (state.status === 'erased') return []
  if (state.status === 'none') return notFound()
  const { customerId } = state
  const data = requestReference === undefined ? { customerId } : { customerId, requestReference }
  return [{ type: 'CustomerErased', data }]
}

// What the shop may remember about a person, and what that person may do.
import { describe, expect, it } from 'vitest'
import {
  type CustomerEvent,
  changeProfile,
  changeUser,
  customer,
  erase,
  grantRole,
  notePassword,
  register,
  revokeRole,
} from '../../src/domain/customer/customer.ts'
import { customerId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenCustomer = given(customer)
const ada = { customerId, username: 'ada', email: 'ada@example.org', firstName: 'Ada' }
const registered: CustomerEvent = { type: 'CustomerRegistered', data: ada }
const granted: CustomerEvent = { type: 'RoleGranted', data: { customerId, role: 'admin' } }
const revoked: CustomerEvent = { type: 'RoleRevoked', data: { customerId, role: 'admin' } }

const rolesAfter = (...events: CustomerEvent[]) => {
  const { state } = givenCustomer(...events)
  return state.status === 'registered' ? state.roles : []
}

describe('registering', () => {
  it('welcomes a customer', () => {
    givenCustomer()
      .when(state => register(state, ada))
      .then([registered])
    expect(rolesAfter(registered)).toEqual(['customer'])
  })

  it('happens once, and keeps the first name', () =>
    givenCustomer(registered)
      .when(state => register(state, { ...ada, username: 'mallory' }))
      .thenNothing())
})

describe('changing a profile', () => {
  const changed = (change: Parameters<typeof changeProfile>[1]) =>
    givenCustomer(registered).when(state => changeProfile(state, change))

  it('records the whole profile as it is then', () =>
    changed({ city: 'London', firstName: 'Augusta' }).then([
      {
        type: 'ProfileChanged',
        data: { customerId, email: 'ada@example.org', firstName: 'Augusta', city: 'London' },
      },
    ]))

  it('empties a field with a null', () =>
    changed({ firstName: null }).then([
      { type: 'ProfileChanged', data: { customerId, email: 'ada@example.org' } },
    ]))

  it('leaves alone what is not mentioned', () =>
    changed({ firstName: undefined, city: 'Leeds' }).then([
      {
        type: 'ProfileChanged',
        data: { customerId, email: 'ada@example.org', firstName: 'Ada', city: 'Leeds' },
      },
    ]))

  it('keeps a field that was emptied empty', () => {
    const emptied: CustomerEvent = { type: 'ProfileChanged', data: { customerId, city: 'Leeds' } }
    givenCustomer(registered, emptied)
      .when(state => changeProfile(state, { country: 'France' }))
      .then([{ type: 'ProfileChanged', data: { customerId, city: 'Leeds', country: 'France' } }])
  })

  it('is refused for someone who is not registered', () =>
    givenCustomer()
      .when(state => changeProfile(state, { city: 'London' }))
      .thenRejected('customer/not-found'))

  it('records nothing when nothing differs', () => changed({ firstName: 'Ada' }).thenNothing())

  it('records nothing when a field that is empty is emptied', () =>
    changed({ city: null, postalCode: undefined }).thenNothing())

  it('leaves roles and the name to sign in with alone', () => {
    const { state } = givenCustomer(registered, granted, {
      type: 'ProfileChanged',
      data: { customerId },
    })
    expect(state).toEqual({
      status: 'registered',
      customerId,
      username: 'ada',
      profile: {},
      roles: ['customer', 'admin'],
      disabled: false,
    })
  })
})

describe('granting a role', () => {
  it('lets a person do more', () => {
    givenCustomer(registered)
      .when(state => grantRole(state, 'admin'))
      .then([granted])
    expect(rolesAfter(registered, granted)).toEqual(['customer', 'admin'])
  })

  it('is refused for someone who is not registered', () =>
    givenCustomer()
      .when(state => grantRole(state, 'admin'))
      .thenRejected('customer/not-found'))

  it('happens once', () =>
    givenCustomer(registered, granted)
      .when(state => grantRole(state, 'admin'))
      .thenNothing())
})

describe('revoking a role', () => {
  it('takes it away, and leaves the others', () => {
    givenCustomer(registered, granted)
      .when(state => revokeRole(state, 'admin'))
      .then([revoked])
    expect(rolesAfter(registered, granted, revoked)).toEqual(['customer'])
  })

  it('is refused for someone who is not registered', () =>
    givenCustomer()
      .when(state => revokeRole(state, 'customer'))
      .thenRejected('customer/not-found'))

  it('does nothing for a role that the person does not have', () =>
    givenCustomer(registered)
      .when(state => revokeRole(state, 'warehouse'))
      .thenNothing())

  it('can be followed by another grant', () =>
    givenCustomer(registered, granted, revoked)
      .when(state => grantRole(state, 'admin'))
      .then([granted]))
})

const disabled: CustomerEvent = { type: 'CustomerDisabled', data: { customerId } }
const enabled: CustomerEvent = { type: 'CustomerEnabled', data: { customerId } }
const erased: CustomerEvent = { type: 'CustomerErased', data: { customerId } }
const another = '00000000-0000-7000-8000-00000000ffff'

describe('changing a user', () => {
  it('gives and takes what makes the difference, and locks out', () =>
    givenCustomer(registered, granted)
      .when(state => changeUser(state, { roles: ['customer', 'support'], disabled: true }, another))
      .then([{ type: 'RoleGranted', data: { customerId, role: 'support' } }, revoked, disabled]))

  it('lets in again', () =>
    givenCustomer(registered, disabled)
      .when(state => changeUser(state, { disabled: false }, another))
      .then([enabled]))

  it('adds nothing where nothing differs', () =>
    givenCustomer(registered, disabled, enabled)
      .when(state => changeUser(state, { roles: ['customer'], disabled: false }, another))
      .thenNothing())

  it('leaves admins the rights that they would take from themselves', () => {
    for (const change of [{ disabled: true }, { roles: [] }]) {
      givenCustomer(registered, granted)
        .when(state => changeUser(state, change, customerId))
        .thenRejected('customer/own-rights')
    }
  })
})

describe('noting that a password was changed', () => {
  const changed = (number: number): CustomerEvent => ({
    type: 'PasswordChanged',
    data: { customerId, number },
  })

  it('counts up, and adds nothing for what is known', () => {
    const once = givenCustomer(registered, changed(1))
    once.when(state => notePassword(state, 1)).thenNothing()
    once.when(state => notePassword(state, 2)).then([changed(2)])
    expect(once.state).toMatchObject({ passwordNumber: 1 })
  })

  it('is refused for someone who is not registered', () =>
    givenCustomer(registered, erased)
      .when(state => notePassword(state, 1))
      .thenRejected('customer/not-found'))
})

describe('erasing somebody', () => {
  it('forgets the name, the profile and the roles', () => {
    const { state } = givenCustomer(registered, granted, erased)
    expect(state).toEqual({ status: 'erased', customerId })
  })

  it('happens once, and to customers only', () => {
    givenCustomer(registered).when(erase).then([erased])
    givenCustomer(registered, erased).when(erase).thenNothing()
    givenCustomer().when(erase).thenRejected('customer/not-found')
  })

  it('is for good', () => {
    const gone = givenCustomer(registered, erased)
    gone.when(state => register(state, ada)).thenNothing()
    gone.when(state => changeProfile(state, { city: 'Leeds' })).thenRejected('customer/not-found')
    gone
      .when(state => changeUser(state, { disabled: true }, another))
      .thenRejected('customer/not-found')
  })
})

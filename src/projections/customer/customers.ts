// Customers as the staff looks them up.
import { type Customer, CustomerEvents, customer, Profile } from '../../domain/customer/customer.ts'
import { erasedText, Role } from '../../domain/kernel/types.ts'
import { defineProjection } from '../core/projection.ts'
import { aggregateModel } from '../core/readModel.ts'
import {
  bigint,
  boolean,
  jsonb,
  type SelectedOf,
  textOf,
  textsOf,
  time,
  uuid,
} from '../core/table.ts'

const customers = {
  name: 'customers',
  key: 'customer_id',
  person: 'customer_id',
  columns: {
    customer_id: uuid,
    username: textOf(CustomerEvents.CustomerRegistered.properties.username),
    profile: jsonb(Profile, { erased: {} }),
    roles: textsOf(Role),
    disabled: boolean,
    erased: boolean,
    revision: bigint,
    registered_at: time,
    updated_at: time,
  },
} as const

declare module '../core/tables.ts' {
  interface Tables {
    customers: SelectedOf<typeof customers>
  }
}

const model = aggregateModel(customers, customer, {
  keyOf: event => event.data.customerId,
  stateOf({ customer_id: customerId, username, profile, roles, disabled, erased }): Customer {
    if (erased) return { status: 'erased', customerId }
    return { status: 'registered', customerId, username, profile, roles, disabled }
  },
  rowOf(state, { at, revision }, before) {
    if (state.status === 'none') return undefined
    const { username, profile, roles, disabled } = state.status === 'erased' ? nobody : state
    return {
      customer_id: state.customerId,
      ...{ username, profile, roles: [...roles], disabled },
      erased: state.status === 'erased',
      revision,
      registered_at: before?.registered_at ?? at,
      updated_at: at,
    }
  },
})

/** What is left of an erased person: a rebuild finds no more. */
const nobody = { username: erasedText, profile: {}, roles: [], disabled: false }

export const customersProjection = defineProjection({
  name: 'customers',
  version: 1,
  models: [model],
})

// Customers as the staff looks them up.
import { type Customer, customer, type Profile } from '../../domain/customer/customer.ts'
import { erasedText, type Role } from '../../domain/kernel/types.ts'
import { fold, type KeyedTable } from '../core/keyedTable.ts'
import { defineProjection, type ReadEvent } from '../core/projection.ts'

interface CustomerRow {
  customer_id: string
  username: string
  profile: Profile
  roles: Role[]
  disabled: boolean
  erased: boolean
  revision: number
  registered_at: string
  updated_at: string
}

const customers: KeyedTable<CustomerRow> = {
  name: 'customers',
  key: 'customer_id',
  columns: {
    customer_id: 'uuid',
    username: 'text',
    profile: 'jsonb',
    roles: 'text[]',
    disabled: 'boolean',
    erased: 'boolean',
    revision: 'bigint',
    registered_at: 'timestamptz',
    updated_at: 'timestamptz',
  },
}

type CustomerEvent = ReadEvent & Parameters<typeof customer.evolve>[1]

export const customersProjection = defineProjection({
  name: 'customers',
  version: 1,
  tables: ['customers'],
  on: [
    'CustomerRegistered',
    'ProfileChanged',
    'RoleGranted',
    'RoleRevoked',
    'PasswordChanged',
    'CustomerDisabled',
    'CustomerEnabled',
    'CustomerErased',
  ],
  async plan(events, db) {
    const { writes } = await fold(db, customers, events, {
      keyOf: event => (isCustomerEvent(event) ? event.data.customerId : undefined),
      creation: 'CustomerRegistered',
      evolve(row, event) {
        if (!isCustomerEvent(event)) return row
        const state = customer.evolve(stateOf(row), event)
        if (state.status === 'none') return undefined
        const { at } = event
        return {
          ...columnsOf(state),
          revision: event.revision,
          registered_at: row?.registered_at ?? at,
          updated_at: at,
        }
      },
    })
    return { writes }
  },
})

type Known = Exclude<Customer, { status: 'none' }>

/** Of somebody who was erased nothing is left but that they were: a rebuild finds no more. */
function columnsOf(state: Known) {
  const { customerId: customer_id, status } = state
  if (status === 'erased') {
    const nothing = { profile: {}, roles: [], disabled: false }
    return { customer_id, username: erasedText, ...nothing, erased: true }
  }
  const { username, profile, roles, disabled } = state
  return { customer_id, username, profile, roles: [...roles], disabled, erased: false }
}

function isCustomerEvent(event: ReadEvent): event is CustomerEvent {
  return event.type in customer.events
}

/** The read model and the decisions fold customers with the same code. */
function stateOf(row: CustomerRow | undefined): Customer {
  if (row === undefined) return { status: 'none' }
  const { customer_id: customerId, username, profile, roles, disabled } = row
  if (row.erased) return { status: 'erased', customerId }
  return { status: 'registered', customerId, username, profile, roles, disabled }
}

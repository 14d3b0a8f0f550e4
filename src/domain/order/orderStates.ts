// The order's state machine as data: the transitions of its status, and the roles that may ask.
import type { Actor } from '../kernel/types.ts'

export const orderStatuses = [
  'submitted',
  'rejected',
  'pending',
  'paid',
  'shipped',
  'delivered',
  'cancelled',
  'expired',
  'refunded',
] as const

export type OrderStatus = (typeof orderStatuses)[number]

export interface Transition {
  from: OrderStatus
  to: OrderStatus
  /** The kinds of actor that may ask for it; `system` may ask for all of them. */
  roles: readonly Actor['role'][]
}

/** Everything that may happen to the status of an order; what is not here is refused. */
export const transitions: readonly Transition[] = [
  { from: 'submitted', to: 'pending', roles: ['system'] },
  { from: 'submitted', to: 'rejected', roles: ['system'] },
  { from: 'pending', to: 'paid', roles: ['customer', 'admin'] },
  { from: 'pending', to: 'expired', roles: ['system'] },
  // Money that arrives too late, for goods that can still be had.
  { from: 'expired', to: 'paid', roles: ['system'] },
  { from: 'pending', to: 'cancelled', roles: ['customer', 'support', 'admin'] },
  { from: 'paid', to: 'cancelled', roles: ['customer', 'support', 'admin'] },
  { from: 'paid', to: 'shipped', roles: ['warehouse', 'support', 'admin'] },
  { from: 'shipped', to: 'delivered', roles: ['warehouse', 'support', 'admin'] },
  { from: 'paid', to: 'refunded', roles: ['admin'] },
  { from: 'shipped', to: 'refunded', roles: ['admin'] },
  { from: 'delivered', to: 'refunded', roles: ['admin'] },
]

/** The statuses that an order may change to, asked by a role, or by any role. */
export function allowedTransitions(from: OrderStatus, role?: Actor['role']): OrderStatus[] {
  return transitions
    .filter(step => step.from === from)
    .filter(step => role === undefined || role === 'system' || step.roles.includes(role))
    .map(step => step.to)
}

/** Whether the table has this transition, for any role. */
export function mayMove(from: OrderStatus, to: OrderStatus): boolean {
  return transitions.some(step => step.from === from && step.to === to)
}

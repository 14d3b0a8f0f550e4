// Which role sees and does what in the console; the API enforces the same by itself.
import type { Role } from '../../../src/domain/kernel/types.ts'

const staff: readonly Role[] = ['support', 'warehouse', 'auditor', 'admin']
const readers: readonly Role[] = ['auditor', 'admin']
const admins: readonly Role[] = ['admin']
const all = { list: admins, show: admins, create: admins, edit: admins, delete: admins }

/** Pages, and what can be done on them. */
const access: Record<string, Record<string, readonly Role[]>> = {
  products: { ...all, list: staff, show: staff, stock: ['admin', 'warehouse'] },
  categories: { ...all, list: staff, show: staff },
  orders: {
    list: staff,
    show: staff,
    cancel: ['admin', 'support'],
    refund: admins,
    deliver: ['admin', 'support', 'warehouse'],
    delete: admins,
  },
  timeTravel: { show: readers },
  users: { list: readers, show: readers, edit: admins, export: admins, erase: admins },
  imports: all,
  mails: { list: readers, edit: admins },
  refunds: { list: readers },
  disputes: { list: ['admin', 'auditor', 'support'] },
  findings: { list: readers, edit: admins },
  audit: { list: readers },
  sales: { list: readers },
  projections: { list: readers, rebuild: admins },
  lowStock: { list: ['admin', 'warehouse'] },
  queues: { list: admins },
  feed: { list: staff },
  search: { list: staff },
}

export function isStaff(roles: readonly Role[]): boolean {
  return roles.some(role => staff.includes(role))
}

/** Whether somebody with these roles may do this. */
export function may(roles: readonly Role[], resource: string, action: string): boolean {
  const allowed = access[resource]?.[action] ?? []
  return roles.some(role => allowed.includes(role))
}

// Erasing a person: the fact into the log, the key destroyed, everything beside the log deleted.

import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import type { Position } from '../../kit/position.ts'
import type { AccountServices, SessionServices } from '../../ports/accounts.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { execute } from '../core/command.ts'
import { eraseCustomer } from '../customer/customer.ts'
import { cancelOrRefuseOpenOrders } from '../order/openOrders.ts'
import { accountWithPassword, wrongPassword } from './passwords.ts'

/** What was checked for remains of the person, and whether none was found. */
export interface Check {
  name: string
  passed: boolean
}

export interface Erasure {
  customerId: string
  erasedAt: Date
  /** Where the log says so. */
  position: Position
  /** What became of what the shop had, in sentences. */
  what: readonly string[]
  checks: readonly Check[]
}

const what = [
  'The key to names, addresses, telephone numbers and dates of birth in the log has been ' +
    'destroyed: nobody can read them again.',
  'The account, its password, sessions, tokens and mails that were waiting have been deleted.',
  'Lists and orders show [erased] where the person was.',
  'Orders, amounts, stock and the order of events stay as they were.',
] as const

export interface ErasureRequest {
  customerId: string
  envelope: Envelope
  /** Their orders that may still owe goods or money. */
  orderIds: readonly string[]
  /** Whether those are cancelled and paid back first, instead of refusing the erasure. */
  cancelOpen: boolean
  /** Of the request, where an admin carries it out. */
  requestReference?: string
}

/** Erases the owner of an account, given its password. Throws Unavailable. */
export async function eraseOneself(
  app: App,
  services: AccountServices,
  { password, ...request }: ErasureRequest & { password: string },
): Promise<Rejection | Position> {
  if ((await accountWithPassword(app, services, request.customerId, password)) === undefined) {
    return wrongPassword('/password')
  }
  return erasePerson(app, services, request)
}

/**
 * Erases a person once nothing is owed to them. What is left to do when this process dies after the
 * event is done by the worker that reads it. Throws Unavailable; ListUnavailable before anything is
 * done.
 */
export async function erasePerson(
  app: App,
  services: Pick<AccountServices, 'accounts' | 'erasures'>,
  request: ErasureRequest,
): Promise<Rejection | Position> {
  const { customerId, envelope, requestReference } = request
  await services.erasures.assertWritable()
  const { state } = await app.customers.load(customerId)
  if (state.status === 'none') return reject('customer/not-found', 'There is no such customer.')
  const refused = await cancelOrRefuseOpenOrders(app, envelope, request)
  if (refused !== undefined) return refused
  const input = requestReference === undefined ? { customerId } : { customerId, requestReference }
  const done = await execute(app, eraseCustomer, input, envelope)
  if (isRejection(done)) return done
  // Where the disk is full a worker does it later; the certificate says so.
  await services.erasures.add([{ customerId, at: envelope.at }]).catch(() => undefined)
  await services.accounts.forget(customerId)
  return done.position
}

/** What can be said of an erasure outside the read models. Throws Unavailable. */
export async function readErasure(
  app: App,
  { accounts, erasures }: SessionServices,
  customerId: string,
): Promise<Erasure | Rejection> {
  const { state, position } = await app.customers.load(customerId)
  const traces = await accounts.traces(customerId)
  const isListed = await erasures.has(customerId).catch(() => false)
  if (state.status !== 'erased' || traces.erasedAt === undefined) {
    return reject('customer/not-found', 'Nobody with this id has been erased.')
  }
  const checks = [
    { name: 'The log says that the person is erased', passed: true },
    { name: 'The key to what the log holds is destroyed', passed: !traces.hasKey },
    { name: 'There is no account', passed: traces.accounts === 0 },
    { name: 'There is no session', passed: traces.sessions === 0 },
    { name: 'There is no reset token', passed: traces.resets === 0 },
    { name: 'There is no mail that waits', passed: traces.mails === 0 },
    { name: 'A backup that is restored will not bring the person back', passed: isListed },
  ]
  return { customerId, erasedAt: traces.erasedAt, position, what, checks }
}

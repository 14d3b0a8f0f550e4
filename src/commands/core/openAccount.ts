// Whether the account of an actor is open: its token may be older than its closing.
import { type Rejection, reject } from '../../domain/kernel/rejection.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from './app.ts'

/** Whether a person has been erased or locked out, by the log as it is now. */
export async function isClosed(app: App, customerId: string): Promise<boolean> {
  const { state } = await app.customers.load(customerId)
  return state.status === 'erased' || (state.status === 'registered' && state.disabled)
}

/** Refuses commands of an actor whose account has been closed since the token was checked. */
export async function refuseClosed(
  app: App,
  { actor }: Pick<Envelope, 'actor'>,
): Promise<Rejection | undefined> {
  if (actor.role === 'anonymous' || actor.role === 'system') return undefined
  if (!(await isClosed(app, actor.id))) return undefined
  return reject('command/forbidden', 'This account has been closed.')
}

// Whether whoever asks still has an account: what they were told of it may be a moment old.
import { type Rejection, reject } from '../../domain/kernel/rejection.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from './app.ts'

/** Whether a person has been erased or locked out, by the log as it is now. */
export async function isClosed(app: App, customerId: string): Promise<boolean> {
  const { state } = await app.customers.load(customerId)
  return state.status === 'erased' || (state.status === 'registered' && state.disabled)
}

/** Refuses what somebody asks whose account has been closed since their token was looked at. */
export async function refuseClosed(
  app: App,
  { actor }: Pick<Envelope, 'actor'>,
): Promise<Rejection | undefined> {
  if (actor.role === 'anonymous' || actor.role === 'system') return undefined
  if (!(await isClosed(app, actor.id))) return undefined
  return reject('command/forbidden', 'This account has been closed.')
}

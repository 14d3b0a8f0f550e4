// Confirming an address with a link that was mailed to it; an account comes to another one by that.
import { type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { isTransient } from '../../kit/transient.ts'
import type { AccountServices } from '../../ports/accounts.ts'
import type { App } from '../core/app.ts'
import { execute } from '../core/command.ts'
import { systemEnvelope } from '../core/envelope.ts'
import { moveAddress } from '../customer/customer.ts'
import { emailOf, emailTaken } from './profile.ts'

type AddressServices = Pick<AccountServices, 'accounts' | 'addresses'>

/**
 * Confirms an address with a token that was mailed to it. Whether somebody else has the address by
 * now is decided here. Throws Unavailable; once the token is used a worker finishes what is left.
 */
export async function confirmEmail(
  app: App,
  services: AddressServices,
  token: string,
): Promise<Rejection | undefined> {
  const used = await services.addresses.use(token)
  if (used === 'taken') return emailTaken()
  if (used === 'expired') {
    const detail = 'This link has been used or is too old: have another one mailed.'
    return reject('account/confirmation-expired', detail)
  }
  if (!used.moves) return undefined
  await settleAddress(app, services, used.customerId).catch(error => {
    if (!isTransient(error)) throw error
  })
  return undefined
}

/** Has another link mailed; those before are void. Throws Unavailable. */
export async function resendConfirmation(
  { addresses }: AddressServices,
  customerId: string,
): Promise<Rejection | undefined> {
  if (await addresses.askAgain(customerId)) return undefined
  return reject('account/email-confirmed', 'Your address is confirmed, and no other is waiting.')
}

/**
 * Finishes the move of an account whose new address is confirmed: the log gets it. Elsewhere the
 * account gets the address that the log has. Throws Unavailable.
 */
export async function settleAddress(
  app: App,
  { accounts, addresses }: AddressServices,
  customerId: string,
): Promise<void> {
  const state = await addresses.stateOf(customerId)
  if (state?.moves && state.wanted !== undefined) {
    const envelope = systemEnvelope('accounts', app.clock.now())
    await execute(app, moveAddress, { customerId, email: state.wanted }, envelope)
  }
  const email = await emailOf(app, customerId)
  if (email !== undefined) await accounts.settleEmail(customerId, email)
}

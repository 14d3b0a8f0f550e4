// Changing a password, and getting a new one for one that was forgotten.
import { type Rejection, reject } from '../domain/rejection.ts'
import type { Account, AccountServices, SessionServices } from './accountPorts.ts'
import { checkPassword } from './credentials.ts'
import type { Shop } from './shop.ts'

export interface PasswordChangeRequest {
  customerId: string
  /** From which it is changed: the others end. */
  sessionId: string
  oldPassword: string
  newPassword: string
}

/**
 * Changes a password for whoever knows the old one, and tells its owner by mail.
 * Throws Unavailable.
 */
export async function changePassword(
  shop: Shop,
  services: AccountServices,
  request: PasswordChangeRequest,
): Promise<Rejection | undefined> {
  const { customerId, oldPassword, newPassword } = request
  const { accounts, passwords } = services
  const account = await knowing(services, customerId, oldPassword)
  if (account === undefined) return wrongPassword('/oldPassword')
  const refused = await checkNew(shop, customerId, newPassword)
  if (refused !== undefined) return refused
  const newHash = await passwords.hash(newPassword)
  const { passwordHash: oldHash } = account
  const change = { customerId, oldHash, newHash, keep: request.sessionId }
  if (!(await accounts.changePassword(change))) return wrongPassword('/oldPassword')
  return undefined
}

/** The account of somebody who knows its password. Throws Unavailable. */
export async function knowing(
  { accounts, passwords }: AccountServices,
  customerId: string,
  password: string,
): Promise<Account | undefined> {
  const account = await accounts.findById(customerId)
  if (account === undefined) return undefined
  return (await passwords.verify(password, account.passwordHash)) ? account : undefined
}

/** A password that is not the one of the account. */
export function wrongPassword(pointer: string): Rejection {
  const errors = [{ pointer, detail: 'Expected the password that you have now.' }]
  return reject('account/wrong-password', 'The password is wrong.', { errors })
}

/**
 * Has a link mailed to whoever has this address. The answer is the same and takes as long whether
 * or not there is such an account: that is found out when the mail is written. Throws Unavailable.
 */
export async function askReset({ recovery }: SessionServices, email: string): Promise<void> {
  await recovery.askReset(email)
}

export interface ResetRequest {
  uid: string
  token: string
  newPassword: string
}

/**
 * Sets a new password with a token that was mailed; all sessions end, and the owner is told. Nobody
 * is signed in by it. Throws Unavailable.
 */
export async function confirmReset(
  shop: Shop,
  { recovery, passwords }: AccountServices,
  { uid, token, newPassword }: ResetRequest,
): Promise<Rejection | undefined> {
  // Before the hash, which is work that strangers must not be able to ask for.
  if (!(await recovery.isGood(uid, token))) return resetExpired()
  const refused = await checkNew(shop, uid, newPassword)
  if (refused !== undefined) return refused
  const isUsed = await recovery.use(uid, token, await passwords.hash(newPassword))
  if (!isUsed) return resetExpired()
  return undefined
}

function resetExpired(): Rejection {
  return reject('account/reset-expired', 'This link has been used or is too old: ask for another.')
}

async function checkNew(shop: Shop, customerId: string, password: string) {
  const { state } = await shop.customers.load(customerId)
  if (state.status !== 'registered') {
    return reject('customer/not-found', 'There is no such customer.')
  }
  const { username, profile } = state
  return checkPassword({ username, email: profile.email ?? '', password, pointer: '/newPassword' })
}

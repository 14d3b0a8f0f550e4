// Changing a password, and getting a new one for one that was forgotten.
import { type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { isTransient } from '../../kit/transient.ts'
import type { Account, AccountServices, SessionServices } from '../../ports/accounts.ts'
import type { App } from '../core/app.ts'
import { execute } from '../core/command.ts'
import { systemEnvelope } from '../core/envelope.ts'
import { notePassword } from '../customer/customer.ts'
import { checkPassword } from './credentials.ts'

export interface PasswordChangeRequest {
  customerId: string
  /** From which it is changed: the others end. */
  sessionId: string
  oldPassword: string
  newPassword: string
}

/**
 * Changes a password, given the old one; the owner gets a mail.
 * Throws Unavailable.
 */
export async function changePassword(
  app: App,
  services: AccountServices,
  request: PasswordChangeRequest,
): Promise<Rejection | undefined> {
  const { customerId, oldPassword, newPassword } = request
  const { accounts, passwords } = services
  const account = await accountWithPassword(app, services, customerId, oldPassword)
  if (account === undefined) return wrongPassword('/oldPassword')
  const refused = await checkNew(app, customerId, newPassword)
  if (refused !== undefined) return refused
  const { passwordHash, passwordNumber } = account
  const old = { hash: passwordHash, number: passwordNumber }
  const next = { hash: await passwords.hash(newPassword), number: passwordNumber + 1 }
  const change = { customerId, old, next, keep: request.sessionId }
  if (!(await accounts.changePassword(change))) return wrongPassword('/oldPassword')
  await noteChange(app, customerId, next.number)
  return undefined
}

/**
 * Tells the log how often a password has been changed: from then on no earlier one opens anything,
 * whatever the row of the account says. What cannot be noted now is noted at the next sign-in.
 */
async function noteChange(app: App, customerId: string, number: number): Promise<void> {
  const envelope = systemEnvelope('accounts', app.clock.now())
  await execute(app, notePassword, { customerId, number }, envelope).catch(error => {
    if (!isTransient(error)) throw error
  })
}

/**
 * Whether this is the password of an account, and not one of before: the log knows how often it was
 * changed, and a row that was put back says less. Throws Unavailable.
 */
export async function isPasswordOf(
  app: App,
  { passwords }: Pick<AccountServices, 'passwords'>,
  account: Account,
  password: string,
): Promise<boolean> {
  const { customerId, passwordHash, passwordNumber } = account
  if (!(await passwords.verify(password, passwordHash))) return false
  const noted = await numberInLog(app, customerId)
  if (passwordNumber > noted) await noteChange(app, customerId, passwordNumber)
  return passwordNumber >= noted
}

async function numberInLog(app: App, customerId: string): Promise<number> {
  const { state } = await app.customers.load(customerId)
  return state.status === 'registered' ? (state.passwordNumber ?? 0) : 0
}

/** An account, where this is its password. Throws Unavailable. */
export async function accountWithPassword(
  app: App,
  services: AccountServices,
  customerId: string,
  password: string,
): Promise<Account | undefined> {
  const account = await services.accounts.findById(customerId)
  if (account === undefined) return undefined
  return (await isPasswordOf(app, services, account, password)) ? account : undefined
}

/** A password that is not the one of the account. */
export function wrongPassword(pointer: string): Rejection {
  const errors = [{ pointer, detail: 'Expected the password that you have now.' }]
  return reject('account/wrong-password', 'The password is wrong.', { errors })
}

/**
 * Requests a mail with a link to this address. The answer is the same and takes as long whether
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
  app: App,
  { accounts, recovery, passwords }: AccountServices,
  { uid, token, newPassword }: ResetRequest,
): Promise<Rejection | undefined> {
  const noted = await numberInLog(app, uid)
  const reset = { customerId: uid, token, number: noted }
  // Before the hash, which is work that strangers must not be able to ask for.
  if (!(await recovery.isGood(reset))) return resetExpired()
  const refused = await checkNew(app, uid, newPassword)
  if (refused !== undefined) return refused
  const hash = await passwords.hash(newPassword)
  const { passwordNumber = 0 } = (await accounts.findById(uid)) ?? {}
  // Above both: one of them may be from a backup, or not have the last change yet.
  const number = Math.max(noted, passwordNumber) + 1
  if (!(await recovery.use(reset, { hash, number }))) return resetExpired()
  await noteChange(app, uid, number)
  return undefined
}

function resetExpired(): Rejection {
  return reject('account/reset-expired', 'This link has been used or is too old: ask for another.')
}

async function checkNew(app: App, customerId: string, password: string) {
  const { state } = await app.customers.load(customerId)
  if (state.status !== 'registered') {
    return reject('customer/not-found', 'There is no such customer.')
  }
  const { username, profile } = state
  return checkPassword({ username, email: profile.email ?? '', password, pointer: '/newPassword' })
}

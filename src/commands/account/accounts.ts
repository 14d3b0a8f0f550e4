// Signing up, signing in, staying signed in, signing out, and the first admin.

import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import type { Role } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'
import type { Account, AccountServices, Session, SessionServices } from '../../ports/accounts.ts'
import type { App } from '../core/app.ts'
import { execute } from '../core/command.ts'
import { systemEnvelope } from '../core/envelope.ts'
import { newId } from '../core/ids.ts'
import { grantRole, registerCustomer } from '../customer/customer.ts'
import { type Credentials, checkCredentials } from './credentials.ts'
import { isPasswordOf } from './passwords.ts'

export interface User {
  id: string
  username: string
  email: string | null
  firstName: string | null
  lastName: string | null
  roles: readonly Role[]
}

export interface SignedIn {
  user: User
  tokens: { access: string; refresh: string }
}

/** The device of a session, as the list of sessions shows it. */
export interface Device {
  device?: string | undefined
}

const actor = 'accounts'

interface Opened {
  customerId: string
  position: Position
  /** The same request has opened it before. */
  replayed: boolean
}

/**
 * Opens an account and signs its owner in. The first to claim a name has it; an attempt that did
 * not finish blocks it for a minute, except for a retry. A retry gets the answer of the first
 * request, with a session of its own: tokens are not stored. Throws Unavailable.
 */
export async function register(
  app: App,
  services: AccountServices,
  { device, requestedBy, ...credentials }: Credentials & Device & { requestedBy?: string },
): Promise<(SignedIn & Omit<Opened, 'customerId'>) | Rejection> {
  const opened = await openAccount(app, services, credentials, requestedBy)
  if (isRejection(opened)) return opened
  const { customerId, ...rest } = opened
  const signedIn = await startSession(app, services, customerId, device)
  return isRejection(signedIn) ? signedIn : { ...signedIn, ...rest }
}

/**
 * Signs in by name or address. Unknown names cost as much work as wrong passwords and get the same
 * answer; only with the right password it says that an account is disabled. Throws Unavailable.
 */
export async function logIn(
  app: App,
  services: AccountServices,
  { login, password, device }: { login: string; password: string } & Device,
): Promise<SignedIn | Rejection> {
  const { accounts, passwords } = services
  const account = await accounts.findByLogin(login)
  const isRight =
    account === undefined
      ? await passwords.verifyNothing(password)
      : await isPasswordOf(app, services, account, password)
  if (account === undefined || !isRight) return invalidCredentials()
  if (!account.confirmed && !(await recover(app, services, account))) return invalidCredentials()
  if (account.disabled) return disabled()
  const { customerId } = account
  const session = await services.sessions.open(customerId, device)
  // What is changed while it is being verified ends the sessions that are there by then.
  if (await accounts.hasPassword(account)) return signedIn(app, services, customerId, session)
  await services.sessions.close(session.family)
  return invalidCredentials()
}

/**
 * Trades a refresh token for a new pair, with the roles of now. A token that is used again after
 * its successor ends the session. Throws Unavailable: then the same token may be tried again.
 */
export async function refresh(
  app: App,
  services: SessionServices,
  input: { refresh: string },
): Promise<SignedIn | Rejection> {
  const { accounts, sessions } = services
  const rotated = await sessions.rotate(input.refresh)
  if (typeof rotated === 'string') return invalidToken()
  const account = await accounts.findById(rotated.customerId)
  if (account !== undefined && !account.disabled) {
    return signedIn(app, services, rotated.customerId, rotated)
  }
  await sessions.close(rotated.family)
  return account === undefined ? invalidToken() : disabled()
}

/** Ends a session: its refresh token is worth nothing from now on. Throws Unavailable. */
export async function logOut(services: SessionServices, sessionId: string): Promise<void> {
  await services.sessions.close(sessionId)
}

export interface AdminRequest {
  username: string
  email: string
  /** Asked for only when the account has to be made. */
  password(): Promise<string>
}

/**
 * Grants the role admin, with a new account where there is none. An account that matches only the
 * name or only the address is refused. Throws Unavailable.
 */
export async function createAdmin(
  app: App,
  services: AccountServices,
  { username, email, password }: AdminRequest,
): Promise<{ customerId: string; created: boolean } | Rejection> {
  const [byName, byAddress] = await Promise.all([
    services.accounts.findByUsername(username),
    services.accounts.findByEmail(email),
  ])
  const existing = byName?.confirmed ? byName : undefined
  if (existing?.customerId !== (byAddress?.confirmed ? byAddress.customerId : undefined)) {
    return existing === undefined
      ? reject('account/email-taken', 'Another account has this address.')
      : reject('account/username-taken', 'This account has another address.')
  }
  const account =
    existing ?? (await openAccount(app, services, { username, email, password: await password() }))
  if (isRejection(account)) return account
  const { customerId } = account
  const envelope = systemEnvelope(actor, app.clock.now())
  const granted = await execute(app, grantRole, { customerId, role: 'admin' }, envelope)
  return isRejection(granted) ? granted : { customerId, created: existing === undefined }
}

async function openAccount(
  app: App,
  services: AccountServices,
  given: Credentials,
  requestedBy?: string,
): Promise<Opened | Rejection> {
  const credentials = checkCredentials(given)
  if (isRejection(credentials)) return credentials
  const { accounts, passwords } = services
  const { username, email, password } = credentials
  const before = await reopen(app, services, credentials, requestedBy)
  if (before !== undefined) return before
  const passwordHash = await passwords.hash(password)
  const customerId = newId()
  const reserved = await accounts.reserve({
    customerId,
    username,
    email,
    passwordHash,
    requestedBy,
  })
  if (reserved !== 'reserved') {
    // The first try may have come to it while this one was looking.
    const meanwhile = await reopen(app, services, credentials, requestedBy)
    return meanwhile ?? (reserved === 'email-taken' ? emailTaken() : usernameTaken())
  }
  const answer = await introduce(app, customerId, credentials).catch(async error => {
    // This account cannot be used: the next attempt must not find its name taken.
    await accounts.release(customerId).catch(() => undefined)
    throw error
  })
  if (isRejection(answer)) return answer
  const isMine = await accounts.confirm(customerId)
  if (!isMine) return usernameTaken()
  return { customerId, position: answer.position, replayed: false }
}

/**
 * The account that the same request has opened before, completed if need be. Other credentials
 * with the key of that request are refused.
 */
async function reopen(
  app: App,
  services: AccountServices,
  credentials: Credentials,
  requestedBy: string | undefined,
): Promise<Opened | Rejection | undefined> {
  const { accounts } = services
  const account = requestedBy === undefined ? undefined : await accounts.findByRequest(requestedBy)
  if (account === undefined) return undefined
  const { customerId } = account
  const isSame =
    account.username === credentials.username &&
    (await accounts.findByEmail(credentials.email))?.customerId === customerId &&
    (await isPasswordOf(app, services, account, credentials.password)) &&
    (await hasNames(app, customerId, credentials))
  if (!isSame) return reject('command/key-reused', 'This key came with another registration.')
  const answer = await introduce(app, customerId, credentials)
  if (isRejection(answer)) return answer
  const isMine = await accounts.confirm(customerId)
  return isMine ? { customerId, position: answer.position, replayed: true } : undefined
}

async function hasNames(app: App, customerId: string, { firstName, lastName }: Credentials) {
  const { state } = await app.customers.load(customerId)
  if (state.status !== 'registered') return true
  const { profile } = state
  return (
    (profile.firstName ?? '') === (firstName ?? '') && (profile.lastName ?? '') === (lastName ?? '')
  )
}

function introduce(app: App, customerId: string, credentials: Credentials) {
  const { username, email, firstName, lastName } = credentials
  const input = {
    customerId,
    username,
    email,
    ...(firstName ? { firstName } : {}),
    ...(lastName ? { lastName } : {}),
  }
  return execute(app, registerCustomer, input, systemEnvelope(actor, app.clock.now()))
}

/** A registration that died after its event was recorded is finished by its owner's first login. */
async function recover(app: App, { accounts }: AccountServices, account: Account) {
  const { state } = await app.customers.load(account.customerId)
  return state.status === 'registered' && (await accounts.confirm(account.customerId))
}

async function startSession(
  app: App,
  services: AccountServices,
  customerId: string,
  device: string | undefined,
): Promise<SignedIn | Rejection> {
  const session = await services.sessions.open(customerId, device)
  return signedIn(app, services, customerId, session)
}

async function signedIn(
  app: App,
  { tokens }: SessionServices,
  customerId: string,
  { refresh, family }: Session,
): Promise<SignedIn | Rejection> {
  const { state } = await app.customers.load(customerId)
  if (state.status !== 'registered') return invalidCredentials()
  // The account's own column follows within moments.
  if (state.disabled) return disabled()
  const { username, profile, roles } = state
  const access = await tokens.issueAccess({ customerId, roles, sessionId: family })
  const { email = null, firstName = null, lastName = null } = profile
  const user = { id: customerId, username, email, firstName, lastName, roles }
  return { user, tokens: { access, refresh } }
}

const disabled = () => reject('account/disabled', 'This account has been disabled.')
const emailTaken = () => reject('account/email-taken', 'There is an account with this address.')
const invalidToken = () =>
  reject('account/invalid-token', 'This token cannot be used: please log in.')
const usernameTaken = () => reject('account/username-taken', 'This name is taken.')
const invalidCredentials = () =>
  reject('account/invalid-credentials', 'The name or the password is wrong.')

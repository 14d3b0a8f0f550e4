// What signing up and signing in need from the world: credentials, hashes, tokens, sessions.
import type { Role } from '../domain/kernel/types.ts'
import type { ErasureList } from './erasure.ts'

export interface Account {
  customerId: string
  username: string
  passwordHash: string
  /** How often it was changed. The log knows, too: one with a lower number was put back. */
  passwordNumber: number
  /** The customer's stream is known to exist. */
  confirmed: boolean
  disabled: boolean
}

export interface NewAccount {
  customerId: string
  username: string
  email: string
  passwordHash: string
  /** What a retry of the registration has in common with it. */
  requestedBy?: string | undefined
}

export interface Accounts {
  /**
   * Claims a name and an address, both without regard to case. Takes the place of accounts that
   * were left unconfirmed for more than a minute.
   */
  reserve(account: NewAccount): Promise<'reserved' | 'username-taken' | 'email-taken'>
  /** Makes a reserved account good; false when somebody else has taken its place meanwhile. */
  confirm(customerId: string): Promise<boolean>
  /** Gives up an account that is not confirmed, and forgets the person. */
  release(customerId: string): Promise<void>
  /** By name or address; an address wins over a name that looks the same. */
  findByLogin(usernameOrEmail: string): Promise<Account | undefined>
  findByUsername(username: string): Promise<Account | undefined>
  findByEmail(email: string): Promise<Account | undefined>
  findById(customerId: string): Promise<Account | undefined>
  /** The account that a request has made when it came before. */
  findByRequest(requestedBy: string): Promise<Account | undefined>
  /** Locks an account or opens it again; false when there is none. */
  setDisabled(customerId: string, disabled: boolean): Promise<boolean>
  /**
   * Sets a new password in the place of the `old` one, voids reset tokens, ends all
   * sessions but `keep` and queues the mail that tells its owner, all at once. False when the
   * password has been changed meanwhile.
   */
  changePassword(change: PasswordChange): Promise<boolean>
  /**
   * Whether this still is the password. Where a session was opened before it is asked, a change
   * that it does not see ends that session.
   */
  hasPassword(account: Account): Promise<boolean>
  /** Ends a move to another address: the account has this one, which is the one in the log. */
  settleEmail(customerId: string, email: string): Promise<void>
  /** Accounts whose move was begun so long ago and not ended: its process has died. */
  moving(forSeconds: number): Promise<string[]>
  /** By which an address can be recognised and not be read. */
  digestOf(email: string): string
  /** Forgets a person: account, sessions, tokens, waiting mails, and the key to the log. */
  forget(customerId: string): Promise<void>
  /** What is left of somebody outside the log. */
  traces(customerId: string): Promise<Traces>
}

/** The hash of a password, and how often it had been changed before. */
export interface NumberedHash {
  hash: string
  number: number
}

export interface PasswordChange {
  customerId: string
  old: NumberedHash
  next: NumberedHash
  /** The session that goes on. */
  keep: string
}

export interface Traces {
  erasedAt: Date | undefined
  hasKey: boolean
  accounts: number
  sessions: number
  resets: number
  mails: number
}

export type AccountMailTemplate =
  | 'password-reset'
  | 'password-changed'
  | 'email-confirm'
  | 'email-requested'
  | 'email-changed'

export interface MailSubject {
  customerId: string
  /** Of their stream, where the mail is about a change. */
  revision: number | null
}

/** A token as somebody comes with it. */
export interface ResetToken {
  customerId: string
  token: string
  /** Of the password that the account has, as the log says. */
  number: number
}

/** Passwords that were forgotten, and the mails that this takes. */
export interface Recovery {
  /** Queues a mail for whoever has this address: the same row whether there is such an account. */
  askReset(email: string): Promise<void>
  /**
   * A new token for an account: 32 random bytes, good for ten minutes; those before are void. It
   * is good in the place of the password with this number, which the log has, and of no other.
   * Undefined when the account has had its share of this hour.
   */
  issue(customerId: string, number: number): Promise<string | undefined>
  /** Takes back a token that could not be mailed; it is not counted either. */
  withdraw(token: string): Promise<void>
  /** Whether a token could be used now. */
  isGood(reset: ResetToken): Promise<boolean>
  /** Uses a token, once, to set a password; all sessions end. False when it is not good. */
  use(reset: ResetToken, next: NumberedHash): Promise<boolean>
  /** Whose account a mail is about; undefined where there is none, or none that may be used. */
  subjectOf(eventId: string, template: string): Promise<MailSubject | undefined>
}

export interface AddressState {
  /** Whether the address of the account has been confirmed by its owner. */
  isConfirmed: boolean
  /** Another address that waits to be confirmed. */
  wanted: string | undefined
  /** That address has just been confirmed, and the log may not have it yet. */
  moves: boolean
}

export interface ConfirmedAddress {
  customerId: string
  /** Whether the account has another address by it: `settleAddress` tells the log. */
  moves: boolean
}

/** Which addresses are confirmed, and which wait to be. */
export interface Addresses {
  /**
   * Notes the address that somebody wants, voids earlier links, and queues the mails to both
   * addresses, all at once. False when another account has it, or the same command has asked.
   */
  ask(change: { customerId: string; email: string; commandId: string }): Promise<boolean>
  /** Queues another mail with a link, and voids earlier ones; false with nothing to confirm. */
  askAgain(customerId: string): Promise<boolean>
  /**
   * A new token for an address: 32 random bytes, good for a day; those before are void. Undefined
   * when the account has had its share of this hour.
   */
  issue(customerId: string, email: string): Promise<string | undefined>
  /** Takes back a token that could not be mailed. */
  withdraw(token: string): Promise<void>
  /** Uses a token, once: its address is confirmed, and belongs to the account. */
  use(token: string): Promise<ConfirmedAddress | 'expired' | 'taken'>
  stateOf(customerId: string): Promise<AddressState | undefined>
  /** Whether somebody has confirmed this very address. */
  isConfirmed(customerId: string, email: string): Promise<boolean>
}

/** Each of these throws Unavailable at once when too many are waiting. */
export interface Passwords {
  hash(password: string): Promise<string>
  verify(password: string, hash: string): Promise<boolean>
  /** As much work as `verify`, for nobody: an unknown name must not answer sooner. */
  verifyNothing(password: string): Promise<false>
}

/** The same for many callers, each of whom waits in a line of their own. */
export interface SharedPasswords {
  /** Callers of one kind take turns, and the kinds take turns with each other. */
  inTurn(turn: { kind: string; by: string }): Passwords
}

/** Who an access token speaks for, in which roles, and from which session. */
export interface AccessClaims {
  customerId: string
  roles: readonly Role[]
  sessionId: string
}

/** What a token says, and until when. */
export interface VerifiedClaims extends AccessClaims {
  endsAt: Date
}

export interface PublicKey {
  kty: string
  crv: string
  x: string
  kid: string
  alg: string
  use: 'sig'
}

export interface Tokens {
  issueAccess(claims: AccessClaims): Promise<string>
  /** What a token says, undefined for everything that is not a valid access token of this shop. */
  verifyAccess(jwt: string): Promise<VerifiedClaims | undefined>
  /** The keys with which others can verify: a JSON Web Key Set. */
  jwks(): Promise<{ keys: PublicKey[] }>
  /**
   * Makes a new signing key when the one in use is older than this; the old one verifies for as
   * long as its last tokens live. True when there is a new one.
   */
  rotateKeys(olderThanSeconds: number): Promise<boolean>
}

/** A session as its owner sees it. */
export interface OpenSession {
  family: string
  device: string | null
  openedAt: Date
  lastUsedAt: Date
  expiresAt: Date
}

/** `family` names the session: all refresh tokens that follow from one sign-in. */
export interface Session {
  refresh: string
  family: string
}

export interface Sessions {
  open(customerId: string, device?: string): Promise<Session>
  /**
   * Spends a refresh token for its successor. A token that was spent before ends the session
   * ('reused'), unless it is the immediate predecessor a moment later: a client that lost the
   * answer gets the same successor again.
   */
  rotate(refresh: string): Promise<(Session & { customerId: string }) | 'reused' | 'unknown'>
  close(family: string): Promise<void>
  closeAll(customerId: string): Promise<void>
  /** Ends one of somebody's own sessions; false when there is none that is open. */
  closeOwn(customerId: string, family: string): Promise<boolean>
  list(customerId: string): Promise<OpenSession[]>
  /** Whether a session is open and its account may be used: what a token cannot know. */
  isGood(customerId: string, family: string): Promise<boolean>
  /** Those of these sessions that are open, and whose accounts may be used. */
  goodOf(families: readonly string[]): Promise<ReadonlySet<string>>
  /** The session of a refresh token, spent or not; undefined for what is none. */
  familyOf(refresh: string): Promise<string | undefined>
  /** A ticket for opening one WebSocket within thirty seconds. */
  issueTicket(customerId: string, family: string): Promise<string>
  /** Uses a ticket, once. */
  redeemTicket(ticket: string): Promise<{ customerId: string; family: string } | undefined>
  /** Deletes what has ended: sessions, tickets, reset tokens, mails that nobody could send. */
  purge(): Promise<void>
}

/** What does not look at passwords. */
export type SessionServices = Omit<AccountServices, 'passwords'>

export interface AccountServices {
  accounts: Accounts
  passwords: Passwords
  tokens: Tokens
  sessions: Sessions
  recovery: Recovery
  addresses: Addresses
  erasures: ErasureList
}

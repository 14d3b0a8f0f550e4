// Who is signed in here: tokens in memory and in this tab's sessionStorage, shared with other tabs.
// See docs/decisions/0012-console.md for why they are not in localStorage.
import type { Static } from 'typebox'
import type { SignedIn } from '../../../src/api/routes/account/accountSchemas.ts'

type Answer = Static<typeof SignedIn>
export type User = Answer['user']

interface Session {
  user: User
  access: string
  /** Good for one use: used twice, the server ends the session. */
  refresh: string
  /** When these tokens came: a tab that slept may have older ones. */
  since: number
}

type SessionMessage = { ask: true } | { session: Session } | { signedOut: string }

const key = 'orderstream-console'
const answerMs = 150
const deadlineMs = 30_000
const tabs = new BroadcastChannel(key)
const listeners = new Set<() => void>()
let session = stored()
/** Whose session ended while a page of theirs is open: what they typed there is kept for them. */
let ended: User | undefined

function stored(): Session | undefined {
  const text = sessionStorage.getItem(key)
  return text === null ? undefined : JSON.parse(text)
}

function store(next: Session | undefined): void {
  session = next
  if (next !== undefined) ended = undefined
  for (const listener of listeners) listener()
  if (next === undefined) sessionStorage.removeItem(key)
  else sessionStorage.setItem(key, JSON.stringify(next))
}

tabs.addEventListener('message', ({ data }: MessageEvent<SessionMessage>) => {
  if ('ask' in data) {
    if (session !== undefined) broadcast({ session })
  } else if ('session' in data) {
    if (isAccepted(data.session)) store(data.session)
  } else if (session?.user.id === data.signedOut) end(session.user)
})

/** The session is over, while its pages are still open. */
function end(user: User): void {
  ended = user
  store(undefined)
}

/** Nobody else's session continues a page that somebody has typed into. */
function isAccepted(other: Session): boolean {
  if (session !== undefined) return isNewer(other, session)
  return ended === undefined || ended.id === other.user.id
}

/** Another person may be signed in over there: that is none of our business. */
function isNewer(other: Session, own: Session): boolean {
  return other.user.id === own.user.id && other.since > own.since
}

function broadcast(word: SessionMessage): void {
  tabs.postMessage(word)
}

/** What the other tabs know that is newer than what this one does. */
async function askOtherTabs(): Promise<void> {
  broadcast({ ask: true })
  await new Promise(resolve => setTimeout(resolve, answerMs))
}

/** The session of this tab, or of another one that is open. */
export async function currentSession(): Promise<Session | undefined> {
  if (session === undefined) await askOtherTabs()
  return session
}

/** Whose session ended without a sign-out here, so that it can be continued. */
export function endedUser(): User | undefined {
  return session === undefined ? ended : undefined
}

/** Who the pages of this tab belong to, whether their session is still good or not. */
export async function pageOwner(): Promise<User | undefined> {
  return (await currentSession())?.user ?? ended
}

/** Calls back whenever the session has changed. */
export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Signs in; what the server says when it refuses is the error's message. */
export async function signIn(username: string, password: string): Promise<User> {
  const response = await post('/api/auth/login', { username, password })
  if (!response.ok) {
    const { detail } = await response.json().catch(() => ({ detail: undefined }))
    throw new Error(detail ?? 'The shop cannot be reached.')
  }
  adopt(await response.json())
  if (session === undefined) throw new Error('Signing in did not work.')
  return session.user
}

/** Ends the session here and in the other tabs. */
export async function signOut(): Promise<void> {
  const { access, user } = session ?? {}
  ended = undefined
  store(undefined)
  if (user === undefined) return
  broadcast({ signedOut: user.id })
  await post('/api/auth/logout', undefined, access).catch(() => undefined)
}

/**
 * New tokens instead of those with this access token, or undefined when the session is over. One
 * tab at a time asks the server: a refresh token that is used twice ends the session.
 */
export async function renew(spent: string): Promise<Session | undefined> {
  return oneTabAtATime(async () => {
    if (session?.access === spent) await askOtherTabs()
    if (session === undefined || session.access !== spent) return session
    const response = await post('/api/auth/token/refresh', { refresh: session.refresh })
    if (response.ok) adopt(await response.json())
    else if (response.status === 401) end(session.user)
    else throw new Error('The shop cannot renew the session right now. Try again in a moment.')
    return session
  })
}

let queue: Promise<unknown> = Promise.resolve()

/** Pages that came over plain HTTP have no locks: there it is one at a time in this tab. */
function oneTabAtATime<T>(work: () => Promise<T>): Promise<T> {
  if ('locks' in navigator) return navigator.locks.request(`${key}-renewal`, work)
  const next = queue.then(work, work)
  queue = next.catch(() => undefined)
  return next
}

function adopt({ user, tokens }: Answer): void {
  store({ user, ...tokens, since: Date.now() })
  if (session !== undefined) broadcast({ session })
}

async function post(path: string, body: unknown, access?: string): Promise<Response> {
  return fetch(path, {
    method: 'POST',
    signal: AbortSignal.timeout(deadlineMs),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(access === undefined ? {} : { authorization: `Bearer ${access}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Error('The shop cannot be reached. Try again in a moment.')
  })
}

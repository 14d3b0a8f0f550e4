// Who is signed in here: tokens in memory and in this tab's sessionStorage, shared with other tabs.
// See docs/decisions/0012-console.md for why they are not in localStorage.
import type { Static } from 'typebox'
import type { SignedIn } from '../../../src/api/schemas.ts'

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

type Word = { ask: true } | { session: Session } | { signedOut: string }

const key = 'orderstream-console'
const answerMs = 150
const tabs = new BroadcastChannel(key)
let session = stored()

function stored(): Session | undefined {
  const text = sessionStorage.getItem(key)
  return text === null ? undefined : JSON.parse(text)
}

function keep(next: Session | undefined): void {
  session = next
  if (next === undefined) sessionStorage.removeItem(key)
  else sessionStorage.setItem(key, JSON.stringify(next))
}

tabs.addEventListener('message', ({ data }: MessageEvent<Word>) => {
  if ('ask' in data) {
    if (session !== undefined) tell({ session })
  } else if ('session' in data) {
    if (session === undefined || isNewer(data.session, session)) keep(data.session)
  } else if (session?.user.id === data.signedOut) keep(undefined)
})

/** Another person may be signed in over there: that is none of our business. */
function isNewer(theirs: Session, ours: Session): boolean {
  return theirs.user.id === ours.user.id && theirs.since > ours.since
}

function tell(word: Word): void {
  tabs.postMessage(word)
}

/** What the other tabs know that is newer than what this one does. */
async function askOtherTabs(): Promise<void> {
  tell({ ask: true })
  await new Promise(resolve => setTimeout(resolve, answerMs))
}

/** The session of this tab, or of another one that is open. */
export async function currentSession(): Promise<Session | undefined> {
  if (session === undefined) await askOtherTabs()
  return session
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
  keep(undefined)
  if (user === undefined) return
  tell({ signedOut: user.id })
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
    else if (response.status === 401) keep(undefined)
    else throw new Error('The shop cannot renew the session right now.')
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
  keep({ user, ...tokens, since: Date.now() })
  if (session !== undefined) tell({ session })
}

function post(path: string, body: unknown, access?: string): Promise<Response> {
  return fetch(path, {
    method: 'POST',
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(access === undefined ? {} : { authorization: `Bearer ${access}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

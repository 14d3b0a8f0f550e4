// Continuing a session that has ended: requests wait here until the person has signed in again.
import { currentSession, endedUser, onSessionChange } from './session.ts'

interface Wait {
  promise: Promise<boolean>
  finish(isSignedIn: boolean): void
}

let wait: Wait | undefined
let isPutOff = false
const listeners = new Set<() => void>()

/** Whether somebody is asked to sign in again right now, and whether they have said: not now. */
export type Question = 'none' | 'asked' | 'put off'

export function questionNow(): Question {
  if (endedUser() === undefined) return 'none'
  if (wait !== undefined) return 'asked'
  return isPutOff ? 'put off' : 'none'
}

export function onQuestionChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/**
 * Asks to sign in again; all requests of the page wait for the same answer. Where somebody has put
 * it off, only what they ask for themselves asks again.
 */
export function signedInAgain(isAwaited: boolean): Promise<boolean> {
  if (wait === undefined && isPutOff && !isAwaited) return Promise.resolve(false)
  wait ??= newWait()
  return wait.promise
}

/** Goes on without signing in: what waits fails, and says so. */
export function putOffSignIn(): void {
  isPutOff = true
  finish(false)
}

function newWait(): Wait {
  let resolveWait: Wait['finish'] = () => undefined
  const promise = new Promise<boolean>(resolve => {
    resolveWait = resolve
  })
  queueMicrotask(notify)
  return { promise, finish: resolveWait }
}

function finish(isSignedIn: boolean): void {
  const finished = wait
  wait = undefined
  finished?.finish(isSignedIn)
  notify()
}

function notify(): void {
  for (const listener of listeners) listener()
}

// Here, or in another tab of the same person.
onSessionChange(async () => {
  if (endedUser() !== undefined) return notify()
  isPutOff = false
  finish((await currentSession()) !== undefined)
})

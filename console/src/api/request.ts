// One request to the API: tokens, versions, keys, and problems as errors that say what to do.
import { HttpError } from 'react-admin'
import { currentSession, endedUser, renew } from './session.ts'
import { signedInAgain } from './signInAgain.ts'

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Sent as JSON, unless it is a form or a file. */
  body?: unknown
  /** The ETag of what the change is about. */
  ifMatch?: string | undefined
  /** The same key again is the same command again. */
  key?: string
  headers?: Record<string, string>
  signal?: AbortSignal
  /** Does not wait for what was done here. */
  late?: boolean
  /** Nobody waits for it: it does not ask to sign in again a second time. */
  background?: boolean
}

export interface Answer<Body> {
  body: Body
  etag: string | undefined
}

/** What a refusal says, as RFC 9457 has it. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  requestId?: string
  errors?: { pointer: string; detail: string }[]
}

/** The newest position of what was done here: reads wait until it is visible. */
let done = 0n

/** Asks the API. Throws an HttpError with the problem as its body when it refuses. */
export async function ask<Body>(path: string, options: RequestOptions = {}): Promise<Answer<Body>> {
  const response = await send(path, options)
  const body = await bodyOf(response)
  remember(response.headers.get('x-position'))
  return { body, etag: response.headers.get('etag') ?? undefined }
}

async function bodyOf(response: Response) {
  try {
    const text = await response.text()
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    throw fault('The answer of the shop was lost on its way. Try again.', 0)
  }
}

/** The response itself, after one try with new tokens. Throws as above. */
export async function send(path: string, options: RequestOptions = {}): Promise<Response> {
  const session = await currentSession()
  if (session === undefined && endedUser() !== undefined) return sendSignedIn(path, options)
  const first = await attempt(path, options, session?.access)
  if (first.status === 503 && isRead(options)) {
    // The read model is late: what there is now is better than nothing.
    return accepted(await attempt(path, { ...options, late: true }, session?.access))
  }
  if (first.status !== 401 || session === undefined) return accepted(first)
  const renewed = await renew(session.access)
  if (renewed === undefined) return sendSignedIn(path, options)
  return accepted(await attempt(path, options, renewed.access))
}

/**
 * Sends once the person whose session has ended has signed in again, on the page where they are:
 * the same request with the same key, so that what was typed is neither lost nor done twice.
 */
async function sendSignedIn(path: string, options: RequestOptions): Promise<Response> {
  const isAwaited = !isRead(options) && options.background !== true
  if (!(await signedInAgain(isAwaited))) {
    throw fault(
      isAwaited
        ? 'Your session has ended, so nothing was saved. What you entered is still here: sign in to go on.'
        : 'Your session has ended. Sign in to go on.',
      401,
    )
  }
  const session = await currentSession()
  return accepted(await attempt(path, options, session?.access))
}

/**
 * Whether the shop has refused for good. Anything else (no answer, too many requests, a session
 * that has ended) leaves open what becomes of it: its repeat must carry the same key.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof HttpError) || error.status < 400 || error.status >= 500) return false
  return ![401, 408, 425, 429].includes(error.status)
}

/** A key for one command; randomUUID is not there where a page came over plain HTTP. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

function isRead({ method = 'GET' }: RequestOptions): boolean {
  return method === 'GET'
}

function remember(position: string | null): void {
  if (position !== null && BigInt(position) > done) done = BigInt(position)
}

async function attempt(path: string, options: RequestOptions, access: string | undefined) {
  const { method = 'GET', body, ifMatch, key, headers, signal, late } = options
  const deadline = deadlineOf(options)
  const isRaw = body instanceof FormData || body instanceof Blob
  const json = body === undefined || isRaw ? {} : { 'content-type': 'application/json' }
  try {
    return await fetch(`/api${path}`, {
      method,
      headers: {
        ...json,
        ...(access === undefined ? {} : { authorization: `Bearer ${access}` }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(isRead(options) && !late && done > 0n ? { 'x-min-position': String(done) } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
      ...(deadline === undefined ? {} : { signal: deadline }),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw fault('The shop cannot be reached. Check your connection and try again.', 0)
  }
}

/**
 * An error as forms want it. `errors` is what react-admin marks fields by: without a `root` the
 * form would count as saved and be left without a warning; with the problem's own list it would
 * stay invalid for good.
 */
function fault(sentence: string, status: number, problem: object = {}): HttpError {
  return new HttpError(sentence, status, {
    ...problem,
    errors: { root: { serverError: sentence } },
  })
}

const deadlineMs = 30_000
/** Files take as long as the connection does. */
const uploadMs = 900_000

/** Ends a request that gets no answer; streams of events have no end to wait for. */
function deadlineOf({ body, headers, signal }: RequestOptions): AbortSignal | undefined {
  if (headers?.accept === 'text/event-stream') return signal
  const isFile = body instanceof FormData || body instanceof Blob
  const deadline = AbortSignal.timeout(isFile ? uploadMs : deadlineMs)
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline])
}

async function accepted(response: Response): Promise<Response> {
  if (response.ok) return response
  const { errors, ...problem }: Partial<Problem> = await response.json().catch(() => ({}))
  const sentence = [
    problem.detail ?? `The shop cannot answer right now (${response.status}).`,
    ...(errors ?? []).map(fault => `${fieldOf(fault.pointer)}: ${fault.detail}`),
    ...adviceOf(response),
  ].join(' ')
  throw fault(sentence, response.status, { ...problem, faults: errors })
}

/** What can be done where the shop did not decide. */
function adviceOf({ status, headers }: Response): string[] {
  const seconds = headers.get('retry-after')
  if (status === 429 || status === 503) {
    return [seconds === null ? 'Try again in a moment.' : `Try again in ${seconds} s.`]
  }
  return status >= 500 ? ['Try again in a moment.'] : []
}

function fieldOf(pointer: string): string {
  return pointer.split('/').filter(Boolean).join(' ') || 'request'
}

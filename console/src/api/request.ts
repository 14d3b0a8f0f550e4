// One request to the API: tokens, versions, keys, and problems as errors that say what to do.
import { HttpError } from 'react-admin'
import { currentSession, renew } from './session.ts'

export interface Wanted {
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
export async function ask<Body>(path: string, wanted: Wanted = {}): Promise<Answer<Body>> {
  const response = await send(path, wanted)
  const text = await response.text()
  const body = text === '' ? undefined : JSON.parse(text)
  remember(response.headers.get('x-position'))
  return { body, etag: response.headers.get('etag') ?? undefined }
}

/** The response itself, after one try with new tokens. Throws as above. */
export async function send(path: string, wanted: Wanted = {}): Promise<Response> {
  const session = await currentSession()
  const first = await attempt(path, wanted, session?.access)
  if (first.status === 503 && isRead(wanted)) {
    // The read model is late: what there is now is better than nothing.
    return accepted(await attempt(path, { ...wanted, late: true }, session?.access))
  }
  if (first.status !== 401 || session === undefined) return accepted(first)
  const renewed = await renew(session.access)
  return accepted(renewed === undefined ? first : await attempt(path, wanted, renewed.access))
}

/** A key for one command; randomUUID is not there where a page came over plain HTTP. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

function isRead({ method = 'GET' }: Wanted): boolean {
  return method === 'GET'
}

function remember(position: string | null): void {
  if (position !== null && BigInt(position) > done) done = BigInt(position)
}

async function attempt(path: string, wanted: Wanted, access: string | undefined) {
  const { method = 'GET', body, ifMatch, key, headers, signal, late } = wanted
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
        ...(isRead(wanted) && !late && done > 0n ? { 'x-min-position': String(done) } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new HttpError('The shop cannot be reached. Is it running?', 0)
  }
}

async function accepted(response: Response): Promise<Response> {
  if (response.ok) return response
  const problem = await response.json().catch(() => ({ detail: response.statusText }))
  throw new HttpError(sentenceOf(problem), response.status, problem)
}

/** Everything a person needs of a problem, in one line. */
function sentenceOf({ detail, errors }: Partial<Problem>): string {
  const faults = errors?.map(fault => `${fieldOf(fault.pointer)}: ${fault.detail}`) ?? []
  return [detail ?? 'The shop refused.', ...faults].join(' ')
}

function fieldOf(pointer: string): string {
  return pointer.split('/').filter(Boolean).join(' ') || 'request'
}

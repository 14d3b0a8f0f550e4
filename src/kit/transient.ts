// Decides which errors pass by themselves: by SQLSTATE and error code, never by what they say.

/**
 * SQLSTATE: connections (08), transactions that are to be repeated (40), resources such as a full
 * disk (53), shutdown and cancelled statements (57), input and output of the server (58). Of other
 * classes single ones: a server that only reads after a failover, transactions that were ended for
 * being idle or that an earlier failure has ended, objects in use and locks that cannot be had.
 */
const transientState = /^(08|40|53|57)[0-9A-Z]{3}$|^(58000|58030|25006|25P02|25P03|55006|55P03)$/

/** Codes of Node, of its HTTP client and of the mail client; UNAVAILABLE is ours. */
const transientCodes: ReadonlySet<string> = new Set([
  'UNAVAILABLE',
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'EPIPE'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN'],
  ...['ENETRESET', 'EADDRNOTAVAIL', 'ENOBUFS', 'EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT', 'EROFS'],
  ...['EIO', 'EAGAIN'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
  ...['UND_ERR_SOCKET', 'ERR_STREAM_PREMATURE_CLOSE'],
  ...['ECONNECTION', 'ESOCKET', 'EDNS'],
])

/**
 * gRPC: cancelled, unknown, deadline exceeded, resource exhausted (also said of a server that asks
 * for calm), aborted, internal, unavailable.
 */
const transientAnswers: ReadonlySet<number> = new Set([1, 2, 4, 8, 10, 13, 14])

/** The longest chain of causes that is followed. */
const causesMax = 8

/**
 * Whether the same may work when it is tried again later, because it was the connection or the
 * state of a server that failed, and neither the request nor the program. An error that was caused
 * by a transient one is transient.
 */
export function isTransient(error: unknown): boolean {
  return causesOf(error).some(({ code }) => isTransientCode(code))
}

/** Whether a gRPC call that ended with this status may work when it is tried again later. */
export function isTransientAnswer(status: unknown): boolean {
  return typeof status === 'number' && transientAnswers.has(status)
}

/** The SQLSTATE of an error or of what has caused it; undefined where a database sent none. */
export function stateOf(error: unknown): string | undefined {
  for (const { code } of causesOf(error)) if (isState(code)) return code
  return undefined
}

/** The codes of an error and of what has caused it. */
export function codesOf(error: unknown): string[] {
  return causesOf(error).flatMap(({ code }) => (typeof code === 'string' ? [code] : []))
}

function isTransientCode(code: unknown): boolean {
  if (typeof code !== 'string') return false
  return isState(code) ? transientState.test(code) : transientCodes.has(code)
}

/** Five digits and capitals, of which Node has codes without digits. */
function isState(code: unknown): code is string {
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code)
}

/** An error with its code, and the errors that have caused it. */
function causesOf(error: unknown): { code: unknown }[] {
  const found: { code: unknown }[] = []
  let next = error
  while (next instanceof Error && found.length < causesMax) {
    found.push({ code: 'code' in next ? next.code : undefined })
    next = next.cause
  }
  return found
}

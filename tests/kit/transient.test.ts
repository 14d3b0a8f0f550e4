// What is transient is decided by code alone.
import { describe, expect, it } from 'vitest'
import { isTransient, isTransientAnswer, stateOf } from '../../src/kit/transient.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'

const coded = (code: unknown, message = '', options?: ErrorOptions) =>
  Object.assign(new Error(message, options), { code })

describe('an error', () => {
  it.each([
    ...['08000', '08006', '08P01', '40001', '40P01', '53000', '53100', '53200', '53300', '53400'],
    ...['57014', '57P01', '57P02', '57P03', '57P05', '58000', '58030'],
    ...['25006', '25P02', '25P03', '55006', '55P03'],
  ])('with SQLSTATE %s is transient', code => {
    expect(isTransient(coded(code))).toBe(true)
  })

  it.each([
    ...['22P02', '22P05', '23502', '23505', '25001', '25P01', '26000', '28P01', '3D000', '42P01'],
    ...['42501', '55000', 'P0001', 'XX000', 'XX001', 'OS001', '0A000', '22021'],
  ])('with SQLSTATE %s is not, whatever it says', code => {
    expect(isTransient(coded(code, 'Connection terminated: timeout ECONNRESET 57P01'))).toBe(false)
  })

  it.each([
    ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'EPIPE'],
    ...['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN'],
    ...['ENETRESET', 'EADDRNOTAVAIL', 'ENOBUFS', 'EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT', 'EAGAIN'],
    ...['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
    ...['UND_ERR_SOCKET', 'ERR_STREAM_PREMATURE_CLOSE', 'ESOCKET', 'ECONNECTION', 'EDNS'],
    'UNAVAILABLE',
  ])('with code %s is transient', code => {
    expect(isTransient(coded(code))).toBe(true)
  })

  it.each(['ENOENT', 'EACCES', 'ERR_INVALID_ARG_TYPE', 'DEPTH_ZERO_SELF_SIGNED_CERT', 14, null])(
    'with code %s is not',
    code => expect(isTransient(coded(code, 'connect ETIMEDOUT'))).toBe(false),
  )

  it.each([
    new Error('Connection terminated unexpectedly'),
    new TypeError('timeout'),
    'ECONNRESET',
    undefined,
  ])('without a code is not', error => {
    expect(isTransient(error)).toBe(false)
  })

  it('is what has caused it, and says its SQLSTATE', () => {
    const refused = new TypeError('fetch failed', { cause: coded('ECONNREFUSED') })
    expect(isTransient(refused)).toBe(true)
    const full = new Unavailable('no room', { cause: coded('X', '', { cause: coded('53100') }) })
    expect(stateOf(full)).toBe('53100')
    expect(stateOf(coded('EPIPE'))).toBeUndefined()
  })

  it('is looked for behind eight others, and no further', () => {
    const behind = (depth: number): Error =>
      depth === 0 ? coded('ECONNRESET') : new Error('around it', { cause: behind(depth - 1) })
    expect(isTransient(behind(7))).toBe(true)
    expect(isTransient(behind(8))).toBe(false)
  })

  it('may be its own cause', () => {
    const circular = new Error('round')
    circular.cause = circular
    expect(isTransient(circular)).toBe(false)
  })
})

it.each([
  ...[1, 2, 4, 8, 10, 13, 14].map((status): [unknown, boolean] => [status, true]),
  ...[0, 3, 5, 6, 7, 9, 11, 12, 15, 16, '14'].map((status): [unknown, boolean] => [status, false]),
])('gRPC status %s is transient: %s', (status, transient) => {
  expect(isTransientAnswer(status)).toBe(transient)
})

// When mails are tried again, when they are given up, and how many one recipient gets.
import { describe, expect, it } from 'vitest'
import { smtpFailure } from '../../src/infra/mail/smtpFailures.ts'
import { codeOf } from '../../src/kit/errorCode.ts'
import type { FailureKind } from '../../src/ports/mail.ts'
import { overLimit } from '../../src/workers/reactions/mail/limits.ts'
import type { ClaimedMail, MailKey } from '../../src/workers/reactions/mail/queue.ts'
import { afterFailure } from '../../src/workers/reactions/mail/retries.ts'

const key: MailKey = {
  event_id: '01980000-0000-7000-8000-000000000001',
  template: 'order-paid',
  order_id: '01980000-0000-7000-8000-000000000002',
}

const claimed: ClaimedMail = {
  key,
  trace: null,
  attempts: 0,
  failingSeconds: 0,
  queuedSeconds: 0,
  sentInHour: 0,
  sentInDay: 0,
  sentInDayAnyKind: 0,
}

const afterwards = (given: Partial<ClaimedMail>, kind: FailureKind, random = 0) =>
  afterFailure({ ...claimed, ...given }, { kind, code: 'CODE' }, random)

describe('a mail that was not taken', () => {
  it('is undeliverable at once when the server refuses it for good', () => {
    expect(afterwards({}, 'refused')).toEqual({
      key,
      state: 'undeliverable',
      failed: true,
      why: 'CODE',
    })
  })

  it.each([
    ['the first time', 0, 60],
    ['the second time', 1, 120],
    ['the sixth time', 5, 1_920],
    ['the eleventh time', 10, 61_440],
    ['ever after', 11, 86_400],
    ['after a thousand times', 1_000, 86_400],
  ])('waits from a minute to a day when it may be tried later, %s', (_, attempts, waitSeconds) => {
    expect(afterwards({ attempts }, 'later')).toMatchObject({ state: 'retrying', waitSeconds })
  })

  it('waits up to a quarter longer, so that those that failed together come back apart', () => {
    expect(afterwards({}, 'later', 1)).toMatchObject({ waitSeconds: 75 })
  })

  it('waits five seconds, and then longer, when the connection was lost over it', () => {
    expect(afterwards({}, 'lost')).toMatchObject({
      state: 'retrying',
      waitSeconds: 5,
      failed: true,
    })
    expect(afterwards({ attempts: 3 }, 'lost')).toMatchObject({ waitSeconds: 40 })
  })

  it('is given up when it has failed for three days', () => {
    const failing = (failingSeconds: number) =>
      afterwards({ attempts: 12, failingSeconds }, 'later')
    expect(failing(259_199).state).toBe('retrying')
    expect(failing(259_200).state).toBe('undeliverable')
  })

  it('is given up after a day where it holds a link that nobody waits for any more', () => {
    const reset = {
      ...claimed,
      key: { ...key, template: 'password-reset', order_id: null } as const,
    }
    const failing = (failingSeconds: number) => afterwards({ ...reset, failingSeconds }, 'later')
    expect(failing(86_399).state).toBe('retrying')
    expect(failing(86_400).state).toBe('undeliverable')
  })

  it('is as it was when the server takes no mail at all, however long that lasts', () => {
    const outcome = afterwards({ attempts: 3, failingSeconds: 1_000_000 }, 'server')
    expect(outcome).toEqual({ key, waitSeconds: 0, why: 'CODE' })
  })
})

describe('what the client of SMTP says', () => {
  const error = (fields: object) => Object.assign(new Error('<eve@example.com> went wrong'), fields)
  it.each([
    [
      'SMTP 550 5.1.1',
      'refused',
      { responseCode: 550, command: 'RCPT TO', response: '550 5.1.1 <eve@x>' },
    ],
    ['SMTP 554', 'refused', { responseCode: 554, command: 'DATA', response: '554 spam' }],
    ['SMTP 450 4.2.0', 'later', { responseCode: 450, command: 'RCPT TO', response: '450 4.2.0 x' }],
    ['SMTP 452', 'later', { responseCode: 452, command: 'DATA', response: '452 full' }],
    ['SMTP 421', 'lost', { responseCode: 421, command: 'RCPT TO', response: '421 bye' }],
    ['SMTP 553', 'server', { responseCode: 553, command: 'MAIL FROM', response: '553 no' }],
    ['SMTP 535', 'server', { responseCode: 535, command: 'AUTH PLAIN', code: 'EAUTH' }],
    ['SMTP 554', 'server', { responseCode: 554, command: 'CONN', code: 'EPROTOCOL' }],
    ['ECONNREFUSED', 'server', { code: 'ECONNREFUSED', command: 'CONN' }],
    ['EDNS', 'server', { code: 'EDNS', command: 'CONN' }],
    ['EENVELOPE', 'refused', { code: 'EENVELOPE', command: 'API' }],
    ['ESTREAM', 'lost', { code: 'ESTREAM', command: 'API' }],
  ])('is %s: %s', (code, kind, fields) => {
    expect(smtpFailure(error(fields), false)).toEqual({ accepted: false, kind, code })
  })

  it('is a lost connection where a part of the mail was sent already', () => {
    const lost = error({ code: 'ETIMEDOUT', command: 'CONN' })
    expect(smtpFailure(lost, true)).toEqual({ accepted: false, kind: 'lost', code: 'ETIMEDOUT' })
  })
})

describe('an error as a code', () => {
  class Unavailable extends Error {
    override readonly name = 'Unavailable'
  }
  const reset = Object.assign(new Error('read from eve@example.com'), { code: 'ECONNRESET' })
  it.each([
    ['ECONNRESET', reset],
    ['Unavailable', new Unavailable('eve@example.com')],
    ['Unavailable (ECONNRESET)', new Unavailable('away', { cause: reset })],
    ['TypeError', new TypeError('eve@example.com is not a function')],
    ['ECONNRESET', new Error('eve@example.com', { cause: reset })],
    ['failed', new Error('eve@example.com')],
    ['failed', 'eve@example.com'],
  ])('is %s, without the words of anybody', (code, error) => {
    expect(codeOf(error)).toBe(code)
  })
})

describe('how many mails one recipient gets', () => {
  const limits = { perHour: 60, unconfirmedPerDay: 5 }
  const over = (given: Partial<ClaimedMail>, isConfirmed: boolean) =>
    overLimit({ ...claimed, ...given }, isConfirmed, limits)
  const waits = { key, waitSeconds: 600, why: 'RECIPIENT_LIMIT' }

  it('is so many an hour about orders', () => {
    expect(over({ sentInHour: 59, sentInDay: 500 }, true)).toBeUndefined()
    expect(over({ sentInHour: 60, sentInDay: 60 }, true)).toEqual(waits)
  })

  it('is a handful a day where the address is not confirmed', () => {
    expect(over({ sentInDayAnyKind: 4 }, false)).toBeUndefined()
    expect(over({ sentInDayAnyKind: 5 }, false)).toEqual(waits)
  })

  it('is not made up for once a day is over', () => {
    const outcome = over({ sentInDayAnyKind: 5, queuedSeconds: 86_400 }, false)
    expect(outcome).toEqual({ key, state: 'undeliverable', why: 'RECIPIENT_LIMIT' })
  })

  it('is another number for mails about accounts, confirmed or not', () => {
    const account = { ...key, template: 'password-reset', order_id: null } as const
    expect(over({ key: account, sentInHour: 9, sentInDay: 19 }, false)).toBeUndefined()
    expect(over({ key: account, sentInHour: 10 }, true)).toMatchObject({ waitSeconds: 600 })
    expect(over({ key: account, sentInDay: 20 }, true)).toMatchObject({ waitSeconds: 600 })
  })

  it('is not counted where limits are off', () => {
    expect(overLimit({ ...claimed, sentInHour: 1e6 }, false, undefined)).toBeUndefined()
  })
})

// What may become a name, an address, a password.
import { dictionary } from '@zxcvbn-ts/language-common'
import { describe, expect, it } from 'vitest'
import {
  type Credentials,
  checkCredentials,
  checkPassword,
  isEmail,
} from '../../src/commands/account/credentials.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'

const good: Credentials = { username: 'ada', email: 'ada@example.com', password: 'difference 1' }

function faults(change: Partial<Credentials>) {
  const checked = checkCredentials({ ...good, ...change })
  if (!isRejection(checked)) return []
  const errors = checked.extra?.errors
  return Array.isArray(errors) ? errors.map(error => `${checked.rejected} ${error.pointer}`) : []
}

describe('credentials that are fine', () => {
  it.each<[string, Partial<Credentials>]>([
    ['as they are', {}],
    ['a name in another script', { username: 'Ωραία.Żółć_1' }],
    ['a name like an address', { username: 'ada+shop@example.com' }],
    ['a password of 8', { password: 'f3!kdwq9' }],
    ['a password of 128 horses', { password: '🐎'.repeat(128) }],
    ['a password without digits or signs', { password: 'correct horse battery staple' }],
    ['a repeated password', { passwordConfirm: good.password }],
    ['names', { firstName: 'Ada', lastName: 'King-Noel, Countess of Lovelace' }],
  ])('%s', (_, change) => {
    expect(faults(change)).toEqual([])
  })

  it('lose the space around name and address, and get one spelling', () => {
    const given = { ...good, username: ' Jose\u0301 ', email: ' ada@example.com\n' }
    expect(checkCredentials(given)).toMatchObject({ username: 'José', email: good.email })
  })
})

describe('credentials that are not', () => {
  it.each<[string, Partial<Credentials>, string]>([
    ['a short name', { username: 'ab' }, '/username'],
    ['a long name', { username: 'a'.repeat(151) }, '/username'],
    ['a name with a space', { username: 'ada king' }, '/username'],
    ['a name with a line end', { username: 'ada\r\nBcc' }, '/username'],
    ['a name with markup', { username: '<b>ada' }, '/username'],
    ['a name with a hidden character', { username: 'ada\u202etxt' }, '/username'],
    ['a short password', { password: '1234567' }, '/password'],
    ['a long password', { password: 'x'.repeat(129) }, '/password'],
    ['another confirmation', { passwordConfirm: 'different 1' }, '/passwordConfirm'],
    ['a first name on two lines', { firstName: 'Ada\nKing' }, '/firstName'],
    ['a long last name', { lastName: 'x'.repeat(101) }, '/lastName'],
  ])('%s', (_, change, pointer) => {
    expect(faults(change)).toEqual([`account/invalid ${pointer}`])
  })

  it('are all told at once', () => {
    expect(faults({ username: '', email: '', password: '' })).toEqual([
      'account/invalid /username',
      'account/invalid /email',
      'account/invalid /password',
    ])
  })

  it.each([
    ['common', 'PassWord123'],
    ['the name', 'Countess-Ada'],
    ['the address', 'ADA@example.com'],
  ])('a password that is %s', (_, password) => {
    expect(faults({ username: 'countess-ada', password })).toEqual([
      'account/weak-password /password',
    ])
  })
})

describe('a new password', () => {
  const owner = { username: 'countess', email: 'ada.lovelace@example.com', pointer: '/newPassword' }

  it('is not one’s own name, address, or what stands before its @', () => {
    for (const password of ['Countess', 'ada.lovelace@example.com', 'Ada.Lovelace', 'Password1']) {
      expect(checkPassword({ ...owner, password })).toMatchObject({
        rejected: 'account/weak-password',
        extra: { errors: [{ pointer: '/newPassword' }] },
      })
    }
  })

  it('is none of the 3,000 that are tried first, however it is spelled', () => {
    const long = dictionary['passwords-common'].filter(password => password.length >= 8)
    expect(long.length).toBeGreaterThan(3_000)
    const first = long.slice(0, 3_000)
    const spelled = first.flatMap(each => [
      each,
      each.toUpperCase(),
      each.slice(0, 1).toUpperCase() + each.slice(1),
    ])
    const taken = spelled.filter(password => checkPassword({ ...owner, password }) === undefined)
    expect(taken).toEqual([])
    for (const password of [
      'ILoveYou',
      'TRUSTNO1',
      'Zaq12WSX',
      'changeMe',
      'P@ssw0rd',
      '1qaz2wsx',
    ]) {
      expect(checkPassword({ ...owner, password })).toMatchObject({
        rejected: 'account/weak-password',
      })
    }
  })

  it('has 8 to 128 characters, whatever they are', () => {
    for (const password of ['七文字の言葉だ', 'x'.repeat(129)]) {
      expect(checkPassword({ ...owner, password })).toMatchObject({ rejected: 'account/invalid' })
    }
    for (const password of ['8 horses', '🐎'.repeat(128)]) {
      expect(checkPassword({ ...owner, password })).toBeUndefined()
    }
  })
})

describe('an address', () => {
  it.each(['a@b.co', 'o’hara@example.com', 'a+b.c@sub.example.co.uk', 'ü@bücher.example'])(
    'may be %s',
    email => expect(isEmail(email)).toBe(true),
  )

  it.each([
    '',
    'ada',
    'ada@',
    '@example.com',
    'ada@localhost',
    'ada@example..com',
    'ada@-example.com',
    'ada@exa mple.com',
    'ada king@example.com',
    'ada@example.com\r\nBcc: all@example.com',
    'ada@example.com,bob@example.com',
    '<ada@example.com>',
    'ada\0@example.com',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(64)}.com`,
    `a@${'b.'.repeat(130)}com`,
  ])('may not be %j', email => expect(isEmail(email)).toBe(false))
})

// What a name, an address and a password have to be before an account is made of them.
import { type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { commonPasswords } from './commonPasswords.ts'

export interface Credentials {
  username: string
  email: string
  password: string
  passwordConfirm?: string
  firstName?: string
  lastName?: string
}

/** One thing that is wrong with a request; `pointer` is a JSON pointer into its body. */
export interface Fault {
  pointer: string
  detail: string
}

// Each is one character class, repeated: nothing in them can backtrack.
const usernameForm = /^[\p{L}\p{N}._@+-]+$/u
const localForm = /^[^\s\p{C}"(),:;<>@[\\\]]+$/u
const labelForm = /^[\p{L}\p{N}-]+$/u
const controls = /\p{Cc}/u

/**
 * The credentials in the form in which they are kept (names and addresses in Unicode's NFKC form,
 * without space around them), or why they cannot be used, with every fault at once.
 */
export function checkCredentials(given: Credentials): Credentials | Rejection {
  const credentials: Credentials = {
    ...given,
    username: given.username.trim().normalize('NFKC'),
    email: given.email.trim().normalize('NFKC'),
  }
  const errors = faultsOf(credentials)
  if (errors.length > 0) {
    return reject('account/invalid', 'Some of what was entered cannot be used.', { errors })
  }
  return isWeak(credentials) ? refuseWeak('/password') : credentials
}

function faultsOf(credentials: Credentials): Fault[] {
  const { username, email, password, passwordConfirm, firstName, lastName } = credentials
  const faults: [boolean, string, string][] = [
    [!isUsername(username), '/username', '3 to 150 letters, digits or any of . _ @ + -'],
    [!isEmail(email), '/email', 'an email address of at most 254 characters'],
    [!within(characters(password), 8, 128), '/password', '8 to 128 characters'],
    [
      passwordConfirm !== undefined && passwordConfirm !== password,
      '/passwordConfirm',
      'the same as the password',
    ],
    [!isName(firstName), '/firstName', 'at most 100 characters on one line'],
    [!isName(lastName), '/lastName', 'at most 100 characters on one line'],
  ]
  return faults
    .filter(([isWrong]) => isWrong)
    .map(([, pointer, expected]) => ({ pointer, detail: `Expected ${expected}.` }))
}

function isUsername(username: string): boolean {
  return within(username.length, 3, 150) && usernameForm.test(username)
}

/** Whether a text looks like an address that a mail could reach. */
export function isEmail(email: string): boolean {
  const at = email.lastIndexOf('@')
  if (email.length > 254 || !within(at, 1, 64)) return false
  const labels = email.slice(at + 1).split('.')
  return localForm.test(email.slice(0, at)) && labels.length > 1 && labels.every(isLabel)
}

function isLabel(label: string): boolean {
  const hasHyphenOutside = label.startsWith('-') || label.endsWith('-')
  return within(label.length, 1, 63) && labelForm.test(label) && !hasHyphenOutside
}

function isName(name: string | undefined): boolean {
  return name === undefined || (name.length <= 100 && !controls.test(name))
}

/** Why a new password is refused; undefined where it is accepted. */
export function checkPassword(given: Owned & { pointer: string }): Rejection | undefined {
  if (!within(characters(given.password), 8, 128)) {
    const errors = [{ pointer: given.pointer, detail: 'Expected 8 to 128 characters.' }]
    return reject('account/invalid', 'Some of what was entered cannot be used.', { errors })
  }
  return isWeak(given) ? refuseWeak(given.pointer) : undefined
}

type Owned = Pick<Credentials, 'username' | 'email' | 'password'>

function isWeak({ username, email, password }: Owned): boolean {
  const lower = password.toLowerCase()
  const address = email.toLowerCase()
  const own = [username.toLowerCase(), address, address.slice(0, address.lastIndexOf('@'))]
  return commonPasswords.has(lower) || own.includes(lower)
}

function refuseWeak(pointer: string): Rejection {
  const detail = 'This password is among the first that others would try.'
  const errors = [{ pointer, detail: 'Expected one that is harder to guess.' }]
  return reject('account/weak-password', detail, { errors })
}

function characters(text: string): number {
  return [...text].length
}

function within(value: number, least: number, most: number): boolean {
  return value >= least && value <= most
}

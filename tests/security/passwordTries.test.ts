// Passwords that are tried: counted by account wherever they are tried, and nobody else waits.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer, Client, Wanted } from '../support/apiClient.ts'
import { atOnce, expectProblem } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'

const tries = 2
const settings = {
  RATE_LIMITS: 'on',
  RATE_LIMIT_FAILED_LOGINS: String(tries),
  RATE_LIMIT_LOGINS: '1000',
  TRUST_PROXY: '127.0.0.1',
}

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings })
})
afterAll(() => app?.close())

let networks = 0
const somewhere = (wanted: Wanted = {}): Wanted => {
  networks += 1
  const address = `203.0.${networks >> 8}.${networks & 255}`
  return { ...wanted, headers: { 'x-forwarded-for': address } }
}

const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status)
const logIn = (login: object, given: string, wanted: Wanted) =>
  app.anyone.post('/auth/login', { ...login, password: given }, wanted)

async function useUp(login: object, wanted: Wanted): Promise<void> {
  for (let time = 0; time < tries; time += 1) {
    expectProblem(await logIn(login, 'a guess', wanted), 401, 'account/invalid-credentials')
  }
}

describe('an account', () => {
  it.each<[string, (victim: Person) => object]>([
    ['with blanks behind it', ({ username }) => ({ username: `${username}  ` })],
    ['with a no-break space before it', ({ username }) => ({ username: `\u00a0${username}` })],
    ['in capitals', ({ username }) => ({ username: username.toUpperCase() })],
    ['in full-width letters', ({ username }) => ({ username: username.replace('p', 'ｐ') })],
    ['by its address', ({ email }) => ({ email })],
    ['by its address as a name', ({ email }) => ({ username: email.toUpperCase() })],
    ['by its name as an address', ({ username }) => ({ email: username })],
  ])('has no tries left under its name %s', async (_, spelled) => {
    const [victim, thief] = [await app.person(), somewhere()]
    await useUp({ username: victim.username }, thief)
    for (const given of ['a guess', password]) {
      const refused = await logIn(spelled(victim), given, thief)
      expect(expectProblem(refused, 429, 'request/too-many').policy).toBe('failed-logins')
    }
    expect((await logIn({ username: victim.username }, password, somewhere())).status).toBe(200)
  })

  it('that does not exist is refused like one that does, however it is written', async () => {
    const thief = somewhere()
    const name = `nobody-${randomBytes(4).toString('hex')}`
    await useUp({ username: name }, thief)
    for (const username of [name, `${name} `, name.toUpperCase(), name.replace('n', 'ｎ')]) {
      expectProblem(await logIn({ username }, 'a guess', thief), 429, 'request/too-many')
    }
  })
})

describe('who is signed in', () => {
  type Attempt = (client: Client, given: string, wanted: Wanted) => Promise<Answer>
  const attempts: [string, Attempt, number][] = [
    [
      'the password is changed',
      (client, given, wanted) =>
        client.post(
          '/auth/password/change',
          { oldPassword: given, newPassword: 'another horse battery' },
          wanted,
        ),
      204,
    ],
    [
      'the account is deleted',
      (client, given, wanted) => client.delete('/auth/profile', { password: given }, wanted),
      200,
    ],
  ]

  it.each(attempts)('has as few tries where %s', async (_, attempt) => {
    const [person, home] = [await app.person(), somewhere()]
    const answers = await atOnce(tries + 3, () => attempt(person.client, 'a guess', home))
    expect(statuses(answers).filter(status => status === 403)).toHaveLength(tries)
    expect(statuses(answers).filter(status => status === 429)).toHaveLength(3)
    expectProblem(await attempt(person.client, password, home), 429, 'request/too-many')
    // What was tried there counts for signing in from there, and for nobody elsewhere.
    const login = { username: person.username }
    expectProblem(await logIn(login, password, home), 429, 'request/too-many')
    expect((await logIn(login, password, somewhere())).status).toBe(200)
  })

  it.each(attempts)('has no more tries for changing the address where %s', async (_, attempt) => {
    const person = await app.person()
    for (let time = 0; time < tries; time += 1) {
      const wrong = await attempt(person.client, 'a guess', somewhere())
      expectProblem(wrong, 403, 'account/wrong-password')
    }
    const refused = await attempt(person.client, password, somewhere())
    expect(expectProblem(refused, 429, 'request/too-many').policy).toBe('own-password')
    // The owner's own session is another one.
    const { body } = await logIn({ username: person.username }, password, somewhere())
    const { access } = { access: '', ...(body.tokens as object) }
    expect((await app.as(access).get('/auth/profile')).status).toBe(200)
  })

  it.each(attempts)(
    'has all tries again after the right one where %s',
    async (_, attempt, done) => {
      const [person, home] = [await app.person(), somewhere()]
      for (let time = 1; time < tries; time += 1) await attempt(person.client, 'a guess', home)
      expect((await attempt(person.client, password, home)).status).toBe(done)
      const login = { username: person.username }
      for (let time = 0; time < tries; time += 1) {
        expect((await logIn(login, 'a guess', home)).status).toBe(401)
      }
    },
  )

  it('loses no try to a request that is refused for something else', async () => {
    const [person, home] = [await app.person(), somewhere()]
    const weak = { oldPassword: password, newPassword: 'password1' }
    for (let time = 0; time <= tries; time += 1) {
      const refused = await person.client.post('/auth/password/change', weak, home)
      expectProblem(refused, 400, 'account/weak-password')
    }
    expect((await logIn({ username: person.username }, password, home)).status).toBe(200)
  })
})

describe('a flood of wrong passwords from one address', () => {
  it('keeps nobody elsewhere from signing in, registering or changing a password', async () => {
    const people = await Promise.all(Array.from({ length: 6 }, () => app.person()))
    const bot = somewhere({ expects: 503 })
    let isOver = false
    const flood = Array.from({ length: 100 }, (_, n) =>
      logIn({ username: `nobody-${n}` }, 'a guess', bot),
    )
    const all = Promise.all(flood).finally(() => {
      isOver = true
    })
    // Those that found room have not been looked at yet when the others have been refused.
    await Promise.any(flood.map(async each => expect((await each).status).toBe(503)))
    const [changer, ...others] = people
    const wanted = { oldPassword: password, newPassword: 'another horse battery' }
    const name = `new-${randomBytes(4).toString('hex')}`
    const newcomer = { username: name, email: `${name}@example.com`, password }
    const answers = await Promise.all([
      ...others.map(({ username }) => logIn({ username }, password, somewhere())),
      app.anyone.post('/auth/register', newcomer, somewhere()),
      changer?.client.post('/auth/password/change', wanted, somewhere()),
    ])
    expect(answers.map(answer => answer?.status)).toEqual([200, 200, 200, 200, 200, 201, 204])
    expect(isOver).toBe(false)
    expect(new Set(statuses(await all))).toEqual(new Set([401, 503]))
  })
})

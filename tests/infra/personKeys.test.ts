// Person keys: one a person, the same in every process, gone for good once erased.
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { createSeals } from '../../src/infra/crypto/personKeys.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { createPool, type Pool } from '../../src/infra/postgres/database.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import { type Lodge, openLodge, testSecretKey } from '../support/accounts.ts'
import { waitFor } from '../support/waitFor.ts'

let lodge: Lodge

beforeAll(async () => {
  lodge = await openLodge()
})
afterAll(() => lodge.close())

const seals = () => createSeals(lodge.pool, lodge.secrets)

/** Counts the statements that go over a pool. */
function counted(pool: Pool) {
  const count = { queries: 0 }
  const spied = new Proxy(pool, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name === 'query') count.queries += 1
      return value.bind(target)
    },
  })
  return { pool: spied, count }
}

/** Holds back the answer of the first statement that goes over a pool. */
function held(pool: Pool) {
  const answered = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  let isFirst = true
  const spied = new Proxy(pool, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== 'query' || !isFirst)
        return typeof value === 'function' ? value.bind(target) : value
      isFirst = false
      return async (statement: { text: string }) => {
        const answer = await target.query(statement)
        answered.resolve()
        await gate.promise
        return answer
      }
    },
  })
  return { pool: spied, reached: answered.promise, release: gate.resolve }
}

describe('a seal', () => {
  it('opens for its person, in other processes too', async () => {
    const subject = randomUUID()
    const sealed = await seals().seal(subject, 'Ada Lovelace, 12 St James’s Square')
    expect(sealed).toMatch(/^v1\.[\w-]+$/)
    expect(sealed).not.toContain('Ada')
    expect(await seals().open(subject, sealed)).toBe('Ada Lovelace, 12 St James’s Square')
  })

  it('is different each time', async () => {
    const subject = randomUUID()
    const [first, second] = [await seals().seal(subject, 'Ada'), await seals().seal(subject, 'Ada')]
    expect(first).not.toBe(second)
  })

  it('does not open for somebody else', async () => {
    const [ada, bob] = [randomUUID(), randomUUID()]
    const sealed = await seals().seal(ada, 'Ada')
    await seals().seal(bob, 'Bob')
    await expect(seals().open(bob, sealed)).rejects.toThrow('has been changed')
  })

  it('that was changed does not open', async () => {
    const subject = randomUUID()
    const sealed = await seals().seal(subject, 'Ada')
    const changed = sealed.slice(0, 20) + (sealed[20] === 'A' ? 'B' : 'A') + sealed.slice(21)
    await expect(seals().open(subject, changed)).rejects.toThrow('has been changed')
  })

  it('of a person without a key does not open', async () => {
    const sealed = await seals().seal(randomUUID(), 'Ada')
    expect(await seals().open(randomUUID(), sealed)).toBeUndefined()
    expect(await seals().open('nobody', sealed)).toBeUndefined()
  })
})

describe('keys', () => {
  it('are the same for processes that create one at the same moment', async () => {
    const subject = randomUUID()
    const processes = Array.from({ length: 5 }, seals)
    const gate = await lodge.pool.connect()
    await gate.query('begin')
    await gate.query('lock table shop.person_keys in share mode')
    const sealing = Promise.all(processes.map((one, n) => one.seal(subject, `text ${n}`)))
    // All have looked and found nothing; each now waits to insert a key of its own.
    await waitFor('five inserts that wait', async () => {
      const { rows } = await gate.query(
        `select count(*)::integer as waiting from pg_locks
        where relation = 'shop.person_keys'::regclass and not granted`,
      )
      return rows[0].waiting === 5
    })
    await gate.query('commit')
    gate.release()
    const sealed = await sealing
    const reader = seals()
    const opened = await Promise.all(sealed.map(text => reader.open(subject, text)))
    expect(opened).toEqual(processes.map((_, n) => `text ${n}`))
  })

  it('that are known need no query', async () => {
    const { pool, count } = counted(lodge.pool)
    const cached = createSeals(pool, lodge.secrets)
    const subject = randomUUID()
    const sealed = await cached.seal(subject, 'Ada')
    const before = count.queries
    await cached.open(subject, sealed)
    await cached.seal(subject, 'Ada')
    expect(count.queries).toBe(before)
  })

  it('of many are looked up together', async () => {
    const subjects = Array.from({ length: 300 }, () => randomUUID())
    const writer = seals()
    const sealed = await Promise.all(subjects.map(subject => writer.seal(subject, 'Ada')))
    const { pool, count } = counted(lodge.pool)
    const reader = createSeals(pool, lodge.secrets)
    const asked = [...subjects, ...subjects].map((subject, n) =>
      reader.open(subject, sealed[n % 300] ?? ''),
    )
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['Ada']))
    expect(count.queries).toBe(1)
  })

  it('are not readable in the database', async () => {
    const subject = randomUUID()
    const sealed = await seals().seal(subject, 'Ada')
    const stranger = createSeals(lodge.pool, createSecrets(new Secret('d00d1e'.repeat(11))))
    await expect(stranger.open(subject, sealed)).rejects.toThrow('is SECRET_KEY still the same?')
  })
})

describe('erasing', () => {
  it('makes what was sealed unreadable, here and elsewhere', async () => {
    const subject = randomUUID()
    const here = seals()
    const sealed = await here.seal(subject, 'Ada')
    await here.erase(subject)
    expect(await here.open(subject, sealed)).toBeUndefined()
    expect(await seals().open(subject, sealed)).toBeUndefined()
    const { rows } = await lodge.pool.query(
      'select sealed_key, erased_at is not null as erased from shop.person_keys where subject = $1',
      [subject],
    )
    expect(rows).toEqual([{ sealed_key: null, erased: true }])
  })

  it('is noticed by another process when it looks, once', async () => {
    const [here, there] = [seals(), seals()]
    const subject = randomUUID()
    const sealed = await here.seal(subject, 'Ada')
    expect(await there.open(subject, sealed)).toBe('Ada')
    await here.erase(subject)
    // Until then it reads with the key that it remembers.
    expect(await there.open(subject, sealed)).toBe('Ada')
    expect(await there.dropErased()).toBe(true)
    expect(await there.open(subject, sealed)).toBeUndefined()
    expect(await there.dropErased()).toBe(false)
  })

  it('that the log tells of holds at once, before the key is destroyed', async () => {
    const [here, there] = [seals(), seals()]
    const subject = randomUUID()
    const sealed = await here.seal(subject, 'Ada')
    here.evict(subject)
    expect(await here.open(subject, sealed)).toBeUndefined()
    expect(await here.isErased(subject)).toBe(true)
    expect(await here.open(subject, await here.seal(subject, 'later'))).toBeUndefined()
    await there.erase(subject)
    // What has been read with the key has to be dropped all the same.
    expect(await here.dropErased()).toBe(true)
  })

  it('lasts: what comes in later cannot be read either', async () => {
    const subject = randomUUID()
    await seals().erase(subject)
    const later = seals()
    const sealed = await later.seal(subject, 'Ada')
    expect(await later.open(subject, sealed)).toBeUndefined()
    expect(await seals().open(subject, sealed)).toBeUndefined()
  })

  it('is no fault for a process that remembers the key and reads what came later', async () => {
    const [here, there] = [seals(), seals()]
    const subject = randomUUID()
    expect(await there.open(subject, await there.seal(subject, 'Ada'))).toBe('Ada')
    await here.erase(subject)
    expect(await there.open(subject, await here.seal(subject, 'later'))).toBeUndefined()
    // Also then what it has cached has to be dropped.
    expect(await there.dropErased()).toBe(true)
  })

  it('wins over a look-up that had read the key before', async () => {
    const subject = randomUUID()
    const sealed = await seals().seal(subject, 'Ada')
    const { pool, reached, release } = held(lodge.pool)
    const here = createSeals(pool, lodge.secrets)
    const opening = here.open(subject, sealed)
    await reached
    await here.erase(subject)
    release()
    expect(await opening).toBeUndefined()
    expect(await here.open(subject, sealed)).toBeUndefined()
  })
})

describe('a database that is away', () => {
  it('is weather, and the error holds no secret', async () => {
    const away = createPool('postgres://postgres:canary-password@127.0.0.1:1/none')
    const error = await createSeals(away, lodge.secrets)
      .seal(randomUUID(), 'canary-text')
      .catch(cause => cause)
    expect(error).toBeInstanceOf(Unavailable)
    const printed = inspect(error, { depth: 10, showHidden: true })
    for (const secret of ['canary', testSecretKey]) expect(printed).not.toContain(secret)
    await away.end()
  })
})

// Password hashes: nothing is cut off, nothing blocks, nobody waits for long.
import bcrypt from 'bcryptjs'
import { afterAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { createPasswords } from '../../src/infra/accounts/passwords.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import { cheapCost, testSecretKey } from '../support/accounts.ts'

const secrets = createSecrets(new Secret(testSecretKey))
const passwords = createPasswords(secrets, { cost: cheapCost })

afterAll(() => passwords.close())

describe('a password hash', () => {
  it('verifies its password and no other', async () => {
    const hash = await passwords.hash('correct horse')
    expect(hash).toMatch(/^\$2b\$04\$/)
    expect(await passwords.verify('correct horse', hash)).toBe(true)
    expect(await passwords.verify('correct horsf', hash)).toBe(false)
  })

  it('is another one each time', async () => {
    expect(await passwords.hash('correct horse')).not.toBe(await passwords.hash('correct horse'))
  })

  it.each([
    ['one-byte', 'a'],
    ['four-byte', '🐎'],
  ])('counts what is behind the 72nd byte of %s characters', async (_, character) => {
    const long = character.repeat(72)
    const hash = await passwords.hash(`${long}1`)
    expect(await passwords.verify(`${long}1`, hash)).toBe(true)
    expect(await passwords.verify(`${long}2`, hash)).toBe(false)
  })

  it('would not if bcrypt were given the password itself', () => {
    const long = 'a'.repeat(72)
    expect(bcrypt.compareSync(`${long}2`, bcrypt.hashSync(`${long}1`, cheapCost))).toBe(true)
  })

  it('takes different spellings of one text for the same password', async () => {
    const hash = await passwords.hash('cafe\u0301 noir')
    expect(await passwords.verify('caf\u00e9 noir', hash)).toBe(true)
  })

  it('is worth nothing under another pepper', async () => {
    const other = createPasswords(createSecrets(new Secret('d00d1e'.repeat(11))))
    const hash = await passwords.hash('correct horse')
    expect(await other.verify('correct horse', hash)).toBe(false)
    await other.close()
  })

  it('that is damaged matches nothing', async () => {
    expect(await passwords.verify('correct horse', 'not a hash')).toBe(false)
  })
})

describe('the queue', () => {
  it('takes 20 and refuses the others at once', async () => {
    const busy = createPasswords(secrets, { cost: cheapCost })
    const asked = Array.from({ length: 32 }, () => busy.hash('correct horse'))
    const settled = await Promise.allSettled(asked)
    const refused = settled.flatMap(one => (one.status === 'rejected' ? [one.reason] : []))
    expect(refused).toHaveLength(12)
    for (const reason of refused) expect(reason).toBeInstanceOf(Unavailable)
    expect(await busy.hash('correct horse')).toMatch(/^\$2b\$/)
    await busy.close()
  })

  it('holds the work for nobody like any other', async () => {
    const busy = createPasswords(secrets, { cost: cheapCost, queueMax: 1 })
    const nothing = busy.verifyNothing('correct horse')
    await expect(busy.hash('correct horse')).rejects.toThrow('too many passwords are waiting')
    expect(await nothing).toBe(false)
    await busy.close()
  })

  it('fails who waits when its thread ends, and goes on with a new one', async () => {
    const busy = createPasswords(secrets, { cost: 12 })
    const outcome = expect(busy.hash('correct horse')).rejects.toBeInstanceOf(Unavailable)
    await busy.close()
    await outcome
    expect(await busy.verifyNothing('correct horse')).toBe(false)
    await busy.close()
  })
})

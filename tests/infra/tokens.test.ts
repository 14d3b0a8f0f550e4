// Access tokens: what this shop has signed, for this shop, now; nothing else.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
} from 'node:crypto'
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  type JWTHeaderParameters,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createTokens } from '../../src/infra/accounts/tokens.ts'
import type { Tokens } from '../../src/ports/accounts.ts'
import { issuer, type Lodge, openLodge } from '../support/accounts.ts'

const claims = {
  customerId: '01890000-0000-7000-8000-000000000001',
  roles: ['customer', 'admin'] as const,
  sessionId: '01890000-0000-7000-8000-000000000002',
}
const verified = { ...claims, endsAt: expect.any(Date) }
const options = { issuer, accessTtlSeconds: 300 }

let lodge: Lodge
let tokens: Tokens
let key: { kid: string; privateKey: KeyObject; x: string }

beforeAll(async () => {
  lodge = await openLodge()
  tokens = createTokens(lodge.pool, lodge.secrets, options)
  await tokens.jwks()
  const { rows } = await lodge.pool.query<{ kid: string; sealed_private_key: string }>(
    'select kid, sealed_private_key from shop.signing_keys',
  )
  const { kid = '', sealed_private_key: sealed = '' } = rows[0] ?? {}
  const der = Buffer.from(lodge.secrets.open('signing-keys', sealed, kid), 'base64url')
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  key = { kid, privateKey, x }
})
afterAll(() => lodge.close())

const now = () => Math.floor(Date.now() / 1000)

const goodPayload = () => ({
  iss: issuer,
  aud: 'orderstream',
  sub: claims.customerId,
  jti: randomUUID(),
  sid: claims.sessionId,
  roles: [...claims.roles],
  iat: now(),
  exp: now() + 300,
})

const goodHeader = () => ({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid })

/** Signs with the shop's own key, so that only what is changed can be wrong. */
function signed(payload: object = {}, header: object = {}, by: KeyObject = key.privateKey) {
  const content: JWTPayload = { ...goodPayload(), ...payload }
  for (const [name, value] of Object.entries(content)) if (value === null) delete content[name]
  const head: JWTHeaderParameters = { ...goodHeader(), ...header }
  return new SignJWT(content).setProtectedHeader(head).sign(by)
}

function segment(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** A token that is put together by hand. */
function forged(header: object, payload: object, signature = '') {
  return `${segment(header)}.${segment(payload)}.${signature}`
}

/** The public key in every form that a confused verifier might take for an HMAC secret. */
function publicKeyAs(form: 'raw' | 'pem' | 'der' | 'jwk'): Uint8Array {
  const publicKey = createPublicKey(key.privateKey)
  if (form === 'raw') return Buffer.from(key.x, 'base64url')
  if (form === 'jwk') return Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' })))
  if (form === 'der') return publicKey.export({ format: 'der', type: 'spki' })
  return Buffer.from(publicKey.export({ format: 'pem', type: 'spki' }))
}

describe('an access token', () => {
  it('says who it speaks for', async () => {
    const jwt = await tokens.issueAccess(claims)
    expect(await tokens.verifyAccess(jwt)).toEqual(verified)
    expect(await tokens.verifyAccess(await signed())).toEqual(verified)
  })

  it('is accepted by other processes of the shop', async () => {
    const other = createTokens(lodge.pool, lodge.secrets, options)
    expect(await other.verifyAccess(await tokens.issueAccess(claims))).toEqual(verified)
  })

  it('ends when it is over, also where it was found good a moment before', async () => {
    const short = createTokens(lodge.pool, lodge.secrets, { issuer, accessTtlSeconds: 10 })
    const jwt = await short.issueAccess(claims)
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      vi.setSystemTime(start + 9_000)
      expect(await short.verifyAccess(jwt)).toEqual(verified)
      // Clocks may differ by five seconds.
      vi.setSystemTime(start + 16_000)
      expect(await short.verifyAccess(jwt)).toBeUndefined()
    } finally {
      vi.useRealTimers()
    }
  })

  it('verifies with the published key set, which holds nothing private', async () => {
    const { keys } = await tokens.jwks()
    expect(keys).toEqual([
      { kty: 'OKP', crv: 'Ed25519', x: key.x, kid: key.kid, alg: 'EdDSA', use: 'sig' },
    ])
    const jwt = await tokens.issueAccess(claims)
    const { payload } = await jwtVerify(jwt, createLocalJWKSet({ keys }))
    expect(payload.sub).toBe(claims.customerId)
  })
})

describe('claims that are wrong are refused:', () => {
  it.each<[string, object]>([
    ['no exp', { exp: null }],
    ['no iat', { iat: null }],
    ['no sub', { sub: null }],
    ['no jti', { jti: null }],
    ['no sid', { sid: null }],
    ['no roles', { roles: null }],
    ['no aud', { aud: null }],
    ['no iss', { iss: null }],
    ['expired by 6 seconds', { iat: now() - 306, exp: now() - 6 }],
    ['exp as text', { exp: String(now() + 300) }],
    ['exp far away, iat long ago', { iat: now() - 3_600, exp: 1e300 }],
    ['exp negative', { exp: -1 }],
    ['iat ahead', { iat: now() + 60 }],
    ['nbf ahead', { nbf: now() + 60 }],
    ['another audience', { aud: 'elsewhere' }],
    ['a list of audiences', { aud: ['orderstream', 'elsewhere'] }],
    ['another issuer', { iss: 'https://shop.example.com.evil.example' }],
    ['a role that does not exist', { roles: ['owner'] }],
    ['roles as text', { roles: 'admin' }],
    ['a sub that is no id', { sub: 'admin' }],
  ])('%s', async (_, payload) => {
    expect(await tokens.verifyAccess(await signed(payload))).toBeUndefined()
  })
})

describe('headers that are wrong are refused:', () => {
  it.each<[string, object]>([
    ['another typ', { typ: 'JWT' }],
    ['no typ', { typ: undefined }],
    ['the typ of a refresh token', { typ: 'rt+jwt' }],
    ['an unknown kid', { kid: 'unknown' }],
    ['a path as kid', { kid: '../../etc/passwd' }],
    ['SQL as kid', { kid: "' or 1=1 --" }],
    ['10 KB of kid', { kid: 'k'.repeat(10_000) }],
    ['no kid', { kid: undefined }],
  ])('%s', async (_, header) => {
    expect(await tokens.verifyAccess(await signed({}, header))).toBeUndefined()
  })

  it('an unknown crit, b64 false', async () => {
    for (const header of [
      { ...goodHeader(), crit: ['x'], x: 1 },
      { ...goodHeader(), crit: ['b64'], b64: false },
    ]) {
      const [, payload, signature] = (await signed()).split('.')
      expect(
        await tokens.verifyAccess(`${segment(header)}.${payload}.${signature}`),
      ).toBeUndefined()
    }
  })
})

describe('algorithms that are wrong are refused:', () => {
  it.each(['none', 'None', 'NONE', 'nOnE'])('%s', async alg => {
    const header = { ...goodHeader(), alg }
    expect(await tokens.verifyAccess(forged(header, goodPayload()))).toBeUndefined()
    const [, , signature] = (await signed()).split('.')
    expect(await tokens.verifyAccess(forged(header, goodPayload(), signature))).toBeUndefined()
  })

  it.each(['raw', 'pem', 'der', 'jwk'] as const)('HS256 with the public key as %s', async form => {
    const jwt = await new SignJWT(goodPayload())
      .setProtectedHeader({ ...goodHeader(), alg: 'HS256' })
      .sign(publicKeyAs(form))
    expect(await tokens.verifyAccess(jwt)).toBeUndefined()
  })

  it('ES256, RS256, missing, a number', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const { alg: _, ...bare } = goodHeader()
    const [, , signature = ''] = (await signed()).split('.')
    for (const jwt of [
      await signed({}, { alg: 'ES256' }, ec),
      await signed({}, { alg: 'RS256' }, rsa),
      forged(bare, goodPayload(), signature),
      forged({ ...bare, alg: 1 }, goodPayload(), signature),
      forged({ ...bare, alg: 'ES256' }, goodPayload(), 'A'.repeat(86)),
    ]) {
      expect(await tokens.verifyAccess(jwt)).toBeUndefined()
    }
  })
})

describe('other keys are refused:', () => {
  it('one under the name of ours, one that the token brings along', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const jwk = publicKey.export({ format: 'jwk' })
    const elsewhere = 'https://127.0.0.1:1/jwks.json'
    for (const header of [{}, { jwk }, { jku: elsewhere, kid: 'x' }, { x5u: elsewhere }]) {
      expect(await tokens.verifyAccess(await signed({}, header, privateKey))).toBeUndefined()
    }
  })

  it('one that was slipped into the table without the secret', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    await lodge.pool.query(
      `insert into shop.signing_keys (kid, sealed_private_key, public_jwk, created_at)
      values ('slipped', 'v1.AAAA', $1, now() - interval '1 day')`,
      [JSON.stringify(publicKey.export({ format: 'jwk' }))],
    )
    const jwt = await signed({}, { kid: 'slipped' }, privateKey)
    expect(await tokens.verifyAccess(jwt)).toBeUndefined()
    await lodge.pool.query(`delete from shop.signing_keys where kid = 'slipped'`)
  })

  it('a retired one after its last tokens, but not before', async () => {
    const jwt = await tokens.issueAccess(claims)
    const retire = (seconds: number) =>
      lodge.pool.query(
        `update shop.signing_keys
        set retired_at = now() - make_interval(secs => $1)
        where kid = $2`,
        [seconds, key.kid],
      )
    await retire(60)
    const other = createTokens(lodge.pool, lodge.secrets, options)
    expect(await other.verifyAccess(jwt)).toEqual(verified)
    expect((await other.jwks()).keys).toHaveLength(2)
    await retire(400)
    const later = createTokens(lodge.pool, lodge.secrets, options)
    expect(await later.verifyAccess(jwt)).toBeUndefined()
    await lodge.pool.query('delete from shop.signing_keys where kid <> $1', [key.kid])
    await lodge.pool.query('update shop.signing_keys set retired_at = null')
  })

  it('the one before a new one, which is made when the old one has had its time', async () => {
    const jwt = await tokens.issueAccess(claims)
    expect(await tokens.rotateKeys(86_400)).toBe(false)
    expect(await tokens.rotateKeys(0)).toBe(true)
    const { keys } = await tokens.jwks()
    expect(keys).toHaveLength(2)
    const fresh = await tokens.issueAccess(claims)
    expect(decodeProtectedHeader(fresh).kid).not.toBe(decodeProtectedHeader(jwt).kid)
    for (const each of [jwt, fresh]) {
      expect(await tokens.verifyAccess(each)).toEqual(verified)
      const elsewhere = createTokens(lodge.pool, lodge.secrets, options)
      expect(await elsewhere.verifyAccess(each)).toEqual(verified)
    }
    await lodge.pool.query('delete from shop.signing_keys where kid <> $1', [key.kid])
    await lodge.pool.query('update shop.signing_keys set retired_at = null')
    tokens = createTokens(lodge.pool, lodge.secrets, options)
  })
})

describe('tokens that are damaged are refused:', () => {
  it('one changed bit in any segment', async () => {
    const jwt = await tokens.issueAccess(claims)
    for (let at = 0; at < jwt.length; at += 7) {
      if (jwt[at] === '.') continue
      const changed = jwt.slice(0, at) + (jwt[at] === 'A' ? 'B' : 'A') + jwt.slice(at + 1)
      if (changed !== jwt) expect(await tokens.verifyAccess(changed)).toBeUndefined()
    }
  })

  it('another spelling of the same signature', async () => {
    const jwt = await tokens.issueAccess(claims)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(jwt.at(-1) ?? '')
    const respelt = jwt.slice(0, -1) + alphabet[last + 1]
    const bytes = (text: string) => Buffer.from(text.split('.')[2] ?? '', 'base64url')
    expect(bytes(respelt)).toEqual(bytes(jwt))
    expect(await tokens.verifyAccess(respelt)).toBeUndefined()
    expect(await tokens.verifyAccess(`${jwt}=`)).toBeUndefined()
  })

  it('truncated, extended, empty, huge, a refresh token', async () => {
    const jwt = await tokens.issueAccess(claims)
    const [header, payload] = jwt.split('.')
    for (const damaged of [
      '',
      '.',
      '..',
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${jwt}.${payload}`,
      `${jwt}.`,
      jwt.slice(0, -1),
      'a'.repeat(64_000),
      randomBytes(32).toString('base64url'),
      `${segment({})}.${segment({})}.AA`,
      '\0',
    ]) {
      expect(await tokens.verifyAccess(damaged)).toBeUndefined()
    }
  })
})

describe('the first key', () => {
  it('is one, however many processes start together', async () => {
    const fresh = await openLodge()
    const processes = Array.from({ length: 6 }, () =>
      createTokens(fresh.pool, fresh.secrets, options),
    )
    const issued = await Promise.all(processes.map(one => one.issueAccess(claims)))
    const { rows } = await fresh.pool.query('select kid from shop.signing_keys')
    expect(rows).toHaveLength(1)
    for (const jwt of issued) expect(await processes[0]?.verifyAccess(jwt)).toEqual(verified)
    await fresh.close()
  })
})

// Access tokens: JWTs signed with EdDSA, verified with exactly one of everything.
import { randomUUID } from 'node:crypto'
import { errors, type JWTHeaderParameters, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { Id, Role } from '../../domain/kernel/types.ts'
import type { Tokens, VerifiedClaims } from '../../ports/accounts.ts'
import type { Secrets } from '../crypto/secrets.ts'
import type { Pool } from '../postgres/database.ts'
import { createSigningKeys, type SigningKeys } from './signingKeys.ts'

export interface TokensOptions {
  /** Names the shop, not the address of one of its processes: all of them take each other's. */
  issuer: string
  accessTtlSeconds: number
}

const algorithm = 'EdDSA'
const audience = 'orderstream'
const type = 'at+jwt'
const clockToleranceSeconds = 5
/** Ours have some 500 characters. */
const lengthMax = 4_096
/** As long as it takes until a key that was taken out of use is noticed: that doubles it. */
const cacheMs = 60_000
/** 2 MB of them. */
const cacheMax = 4_000

const claims = Compile(
  Type.Object({
    sub: Id,
    aud: Type.Literal(audience),
    jti: Type.String(),
    exp: Type.Number(),
    sid: Id,
    roles: Type.Array(Role, { maxItems: 20 }),
  }),
)

/** The issuer of the tokens of a shop, whatever address its processes listen on. */
export function issuerOf(shopId: string): string {
  return `urn:uuid:${shopId}`
}

/** Tokens over the keys of shop.signing_keys. Throws Unavailable. */
export function createTokens(pool: Pool, secrets: Secrets, options: TokensOptions): Tokens {
  const { issuer, accessTtlSeconds } = options
  const tokensLiveSeconds = accessTtlSeconds + 2 * clockToleranceSeconds
  const keys = createSigningKeys(pool, secrets, { tokensLiveSeconds })
  return {
    async issueAccess({ customerId, roles, sessionId }) {
      const { kid, privateKey } = await keys.current()
      const issuedAt = Math.floor(Date.now() / 1000)
      return new SignJWT({ sid: sessionId, roles: [...roles] })
        .setProtectedHeader({ alg: algorithm, kid, typ: type })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(customerId)
        .setJti(randomUUID())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + accessTtlSeconds)
        .sign(privateKey)
    },
    verifyAccess: rememberGood(async jwt => {
      if (jwt.length > lengthMax || !isCanonical(jwt)) return undefined
      return verify(jwt, keys, options)
    }),
    jwks: async () => ({ keys: (await keys.current()).published }),
    rotateKeys: keys.rotate,
  }
}

interface Verified {
  claims: VerifiedClaims
  /** When the token ends, in seconds. */
  exp: number
}

/**
 * Checks a token of which the signature was found good a moment ago by its end alone: whoever
 * shops sends the same one with every request. Tokens that are no good are checked each time.
 */
function rememberGood(
  check: (jwt: string) => Promise<Verified | undefined>,
): Tokens['verifyAccess'] {
  const good = new LRUCache<string, Verified & { checkedAt: number }>({ max: cacheMax })
  return async jwt => {
    const now = Date.now()
    const before = good.get(jwt)
    if (before !== undefined) {
      const age = now - before.checkedAt
      const isOver = now / 1000 >= before.exp + clockToleranceSeconds
      if (age >= 0 && age < cacheMs && !isOver) return before.claims
    }
    const verified = await check(jwt)
    if (verified !== undefined) good.set(jwt, { ...verified, checkedAt: now })
    return verified?.claims
  }
}

async function verify(
  jwt: string,
  keys: SigningKeys,
  { issuer, accessTtlSeconds }: TokensOptions,
): Promise<Verified | undefined> {
  try {
    const { payload } = await jwtVerify(jwt, header => keyOf(keys, header), {
      algorithms: [algorithm],
      issuer,
      audience,
      typ: type,
      // jose checks exp only where it is there.
      requiredClaims: ['exp', 'iat', 'sub', 'jti'],
      maxTokenAge: accessTtlSeconds,
      clockTolerance: clockToleranceSeconds,
    })
    if (!claims.Check(payload)) return undefined
    const { sub: customerId, roles, sid: sessionId, exp } = payload
    const endsAt = new Date(exp * 1_000)
    return { claims: { customerId, roles, sessionId, endsAt }, exp }
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined
    throw error
  }
}

async function keyOf(keys: SigningKeys, { kid }: Partial<JWTHeaderParameters>) {
  const key = typeof kid === 'string' ? await keys.find(kid) : undefined
  if (key === undefined) throw new errors.JWKSNoMatchingKey()
  return key
}

/** One token has one spelling: base64url leaves bits at its end that mean nothing. */
function isCanonical(jwt: string): boolean {
  const segments = jwt.split('.')
  return segments.every(text => Buffer.from(text, 'base64url').toString('base64url') === text)
}

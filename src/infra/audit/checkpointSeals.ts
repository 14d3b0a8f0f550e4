// Checkpoints as signed text: JWS with Ed25519. Reading them needs public keys and nothing else.

import { CompactSign, compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { parsePosition } from '../../kit/position.ts'
import type { Checkpoint } from '../../ports/audit.ts'

const algorithm = 'EdDSA'
const type = 'orderstream-checkpoint'
const version = 1
const Digits = Type.String({ pattern: '^\\d{1,19}$' })

const claims = Compile(
  Type.Object({
    v: Type.Literal(version),
    after: Digits,
    position: Digits,
    count: Type.Integer({ minimum: 0 }),
    hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    at: Type.String({ maxLength: 40 }),
  }),
)

type SigningKey = Parameters<CompactSign['sign']>[0]

/** Signs a checkpoint. */
export function signCheckpoint(checkpoint: Checkpoint, kid: string, key: SigningKey) {
  const { after, position, count, hash, at } = checkpoint
  const text = JSON.stringify({
    v: version,
    after: String(after),
    position: String(position),
    count,
    hash,
    at: at.toISOString(),
  })
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: algorithm, kid, typ: type })
    .sign(key)
}

/** What a checkpoint says; undefined when none of these keys has signed it. */
export async function openCheckpoint(
  signed: string,
  jwks: JSONWebKeySet,
): Promise<Checkpoint | undefined> {
  try {
    const options = { algorithms: [algorithm] }
    const { payload, protectedHeader } = await compactVerify(
      signed,
      createLocalJWKSet(jwks),
      options,
    )
    const claimed: unknown = JSON.parse(new TextDecoder().decode(payload))
    if (protectedHeader.typ !== type || !claims.Check(claimed)) return undefined
    const { after, position, at, count, hash } = claimed
    return {
      after: parsePosition(after),
      position: parsePosition(position),
      at: new Date(at),
      count,
      hash,
    }
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof SyntaxError) return undefined
    throw error
  }
}

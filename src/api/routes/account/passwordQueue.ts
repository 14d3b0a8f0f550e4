// Whose turn it is when a request wants a password hashed.
import type { FastifyRequest } from 'fastify'
import type { AccountServices } from '../../../ports/accounts.ts'
import { addressOf } from '../../http/addresses.ts'
import type { ApiContext } from '../../http/context.ts'

/** What strangers want hashed, each kind with a share of its own; people who are signed in: own. */
export type HashKind = 'sign-in' | 'registration' | 'reset' | 'own'

/**
 * The account services for a request. Strangers wait in the line of their address, whoever is
 * signed in in one of their own: a flood from one address keeps nobody else waiting.
 */
export function accountsFor(
  { accounts }: ApiContext,
  request: FastifyRequest,
  kind: HashKind,
): AccountServices {
  const { actor } = request
  const by = actor.role === 'anonymous' || kind !== 'own' ? addressOf(request.ip) : actor.id
  return { ...accounts, passwords: accounts.passwords.inTurn({ kind, by }) }
}

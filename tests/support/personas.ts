// Everybody who might ask, from nobody to the admin, each with a token or without one.
import { randomUUID } from 'node:crypto'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { changeUser } from '../../src/commands/customer/customer.ts'
import type { Role } from '../../src/domain/kernel/types.ts'
import { createTokens, issuerOf } from '../../src/infra/accounts/tokens.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import type { Person, TestApp } from './testApp.ts'
import { waitFor } from './waitFor.ts'

export interface Persona {
  name: string
  token: string | undefined
  /** None for those whom nobody knows, or knows any more. */
  roles: readonly Role[]
  /** Who it is, where that is somebody who can have things. */
  person?: Person
}

/** The nine personas of a shop; `owner` is who has what the others ask for. */
export async function everybody(app: TestApp): Promise<Persona[]> {
  const staff: Role[] = ['support', 'warehouse', 'auditor']
  return [
    { name: 'anonymous', token: undefined, roles: [] },
    known('owner', await app.person(), ['customer']),
    known('stranger', await app.person(), ['customer']),
    ...(await Promise.all(
      staff.map(async role => known(role, await app.person(role), ['customer', role])),
    )),
    known('admin', await app.person('admin'), ['customer', 'admin']),
    { name: 'disabled', token: await disabledToken(app), roles: [] },
    { name: 'expired', token: await expiredToken(app), roles: [] },
  ]
}

function known(name: string, person: Person, roles: readonly Role[]): Persona {
  return { name, token: person.access, roles, person }
}

/** The token of an admin who is locked out: good by itself, and good for nothing. */
async function disabledToken(app: TestApp): Promise<string> {
  const person = await app.person('admin')
  const envelope = systemEnvelope('test', new Date())
  const change = { customerId: person.id, disabled: true }
  await execute(app.back.app, changeUser, change, envelope)
  await waitFor('the lock', async () => (await person.client.get('/auth/profile')).status === 401)
  return person.access
}

async function expiredToken(app: TestApp): Promise<string> {
  const { id: customerId } = await app.person('admin')
  const { pool, shopId } = app.back
  const { secretKey } = app.config
  const options = { issuer: issuerOf(shopId), accessTtlSeconds: -60 }
  const tokens = createTokens(pool, createSecrets(secretKey), options)
  return tokens.issueAccess({ customerId, roles: ['admin'], sessionId: randomUUID() })
}

// Compares what is kept of people beside the log with what the log says of them: keys of those who
// were erased, keys that are gone, and passwords from before they were changed.

import { setTimeout } from 'node:timers/promises'
import { startOfLog } from '../../kit/position.ts'
import type { StateFinding } from '../../ports/audit.ts'
import type { EventStore, RecordedEvent } from '../../ports/eventStore.ts'
import { openPassword } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'

export interface PersonGuardDeps {
  pool: Pool
  secrets: Secrets
  log: Pick<EventStore, 'readAll'>
  /** Keys are destroyed shortly after the event; a finding is checked again after this pause. */
  graceMs: number
}

const types = ['CustomerRegistered', 'PasswordChanged', 'CustomerErased']
const batchSize = 2_000

const findKeyless: Statement = {
  name: 'person_guard_keyless',
  text: `select person::text as id, k.subject is null as is_gone
    from unnest($1::uuid[]) as person
    left join shop.person_keys k on k.subject = person
    where k.sealed_key is null`,
}
const findRemains: Statement = {
  name: 'person_guard_remains',
  text: `select person::text as id, k.sealed_key is not null as has_key
    from unnest($1::uuid[]) as person
    left join shop.person_keys k on k.subject = person
    where k.sealed_key is not null
      or exists (select from shop.accounts a where a.customer_id = person)`,
}
// A registration that was given up has lost its key as well, and nothing more has come of it.
const findWronged: Statement = {
  name: 'person_guard_wronged',
  text: `select k.subject::text as id
    from shop.person_keys k
    where k.subject = any($1::uuid[]) and k.sealed_key is null
      and (
        exists (select from shop.accounts a where a.customer_id = k.subject)
        or exists (select from readmodel.orders o where o.customer_id = k.subject)
        or exists (
          select from eventstore.events e
          where e.stream = 'customer-' || k.subject and e.revision > 0
        )
      )`,
}
// The shop destroys the key in the step in which it notes that.
const findExpected: Statement = {
  name: 'person_guard_noted',
  text: `select subject::text as id
    from shop.person_keys
    where erased_at is not null and sealed_key is not null
    order by subject
    limit 1000`,
}
const findPasswords: Statement = {
  name: 'person_guard_passwords',
  text: `select customer_id::text as id, coalesce(password_hash, '') as kept
    from shop.accounts
    where customer_id = any($1::uuid[])`,
}

interface IdRow {
  [column: string]: unknown
  id: string
}

const inLog = 'what is kept of people agrees with the log'
const found = (id: string, detail: string): StateFinding => ({
  check: inLog,
  key: `person ${id}`,
  detail,
})

/** The differences. Keeps the ids of erased people in memory. */
export async function* personFindings(deps: PersonGuardDeps): AsyncGenerator<StateFinding> {
  const keyless = new Set<string>()
  let position = startOfLog
  for await (const batch of batches(deps.log.readAll({ filter: { types } }))) {
    position = batch.at(-1)?.position ?? position
    yield* goneKeys(deps, peopleOf(batch, 'CustomerRegistered'), keyless)
    yield* oldPasswords(deps, batch)
    yield* remains(deps, peopleOf(batch, 'CustomerErased'), keyless)
  }
  const isErased = { after: position, filter: { types: ['CustomerErased'] } }
  for await (const { data } of deps.log.readAll(isErased)) keyless.delete(personOf(data))
  for (const { id } of await rows<IdRow>(deps.pool, findWronged, [[...keyless]])) {
    yield found(id, 'The key is destroyed, but the log does not say that the person was erased.')
  }
  for (const { id } of await rows<IdRow>(deps.pool, findExpected)) {
    yield found(id, 'The person is noted as erased and still has a key: the shop never does that.')
  }
}

async function* batches(events: AsyncIterable<RecordedEvent>): AsyncGenerator<RecordedEvent[]> {
  let batch: RecordedEvent[] = []
  for await (const event of events) {
    batch.push(event)
    if (batch.length < batchSize) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Events may be forged; invalid ids are reported by another check. */
function personOf(data: RecordedEvent['data']): string {
  const id = String(data.customerId).toLowerCase()
  return idForm.test(id) ? id : ''
}

function peopleOf(batch: readonly RecordedEvent[], type: string): string[] {
  const events = batch.filter(event => event.type === type)
  return events.map(({ data }) => personOf(data)).filter(id => id !== '')
}

/** A registered customer has a key until the log records the erasure. */
async function* goneKeys(
  { pool }: PersonGuardDeps,
  people: readonly string[],
  keyless: Set<string>,
): AsyncGenerator<StateFinding> {
  if (people.length === 0) return
  const without = await rows<IdRow & { is_gone: boolean }>(pool, findKeyless, [people])
  for (const { id, is_gone: isGone } of without) {
    if (isGone) yield found(id, 'The key is gone: what the log has of the person is unreadable.')
    else keyless.add(id)
  }
}

async function* remains(
  { pool, graceMs }: PersonGuardDeps,
  people: readonly string[],
  keyless: Set<string>,
): AsyncGenerator<StateFinding> {
  for (const id of people) keyless.delete(id)
  if (people.length === 0) return
  const ask = (ids: readonly string[]) =>
    rows<IdRow & { has_key: boolean }>(pool, findRemains, [ids])
  let left = await ask(people)
  if (left.length > 0) {
    await setTimeout(graceMs)
    left = await ask(left.map(({ id }) => id))
  }
  for (const { id, has_key: hasKey } of left) {
    const what = hasKey ? 'the key' : 'an account'
    yield found(id, `The log says that the person was erased, and ${what} is there again.`)
  }
}

/** A password counts how often it was changed; the log has the same number, and no row a lower. */
async function* oldPasswords(
  { pool, secrets }: PersonGuardDeps,
  batch: readonly RecordedEvent[],
): AsyncGenerator<StateFinding> {
  const numbers = new Map<string, number>()
  for (const { type, data } of batch) {
    if (type === 'PasswordChanged') numbers.set(personOf(data), Number(data.number))
  }
  numbers.delete('')
  if (numbers.size === 0) return
  const stored = await rows<IdRow & { kept: string }>(pool, findPasswords, [[...numbers.keys()]])
  for (const { id, kept: text } of stored) {
    const password = openPassword(secrets, id, text)
    if (password === undefined || password.number >= (numbers.get(id) ?? 0)) continue
    yield found(id, 'An earlier password was put back into the account; it opens nothing.')
  }
}

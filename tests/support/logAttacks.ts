// What somebody does to the log and to what is kept beside it who may write to every table.

import { randomUUID } from 'node:crypto'
import { startOfLog } from '../../src/kit/position.ts'

/** What the statements are about: whoever uses them says it before they are made. */
export const on = {
  customerId: '',
  adminId: '',
  productId: '',
  /** An event in the middle of the signed log, and the last one. */
  target: 0n,
  head: startOfLog,
}

/**
 * What the shop says, and what the offline verifier says of an export with checkpoints from
 * elsewhere; nothing of what is no part of an export.
 */
type Attack = readonly [name: string, statements: () => string[], finding: RegExp, offline?: RegExp]

/** An event as somebody writes it who has read the table: the right shape, without a seal. */
const insert = (
  position: string,
  stream: string,
  { revision, type, data }: { revision: string; type: string; data: object },
) => `insert into eventstore.events
  select ${position}, '${stream}', ${revision}, gen_random_uuid(), '${type}',
    '${JSON.stringify(data)}'::json, (
      select metadata from eventstore.events where type = 'StockAdjusted' order by position limit 1
    ), now()`
const atHead = '(select max(position) + 1 from eventstore.events)'
const nextOf = (stream: string) =>
  `(select max(revision) + 1 from eventstore.events where stream = '${stream}')`

export const grant = (position: string) => {
  const stream = `customer-${on.customerId}`
  const data = { customerId: on.customerId, role: 'admin' }
  return insert(position, stream, { revision: nextOf(stream), type: 'RoleGranted', data })
}
const addStock = (position: string) => {
  const stream = `stock-${on.productId}`
  const data = { productId: on.productId, delta: 5_000, reason: 'found' }
  return insert(position, stream, { revision: nextOf(stream), type: 'StockAdjusted', data })
}
export const open = 'alter table eventstore.events drop constraint events_in_the_log'
export const newestGone = `delete from shop.audit_checkpoints
  where position = (select max(position) from shop.audit_checkpoints)`
const allGone = 'delete from shop.audit_checkpoints'
const editNewest = () => `update eventstore.events
  set data = replace(data::text, '"quantity":1', '"quantity":9')::json
  where position > ${on.head} - 10`
const at = (change: string) =>
  `update eventstore.events set ${change} where position = ${on.target}`

/** The manipulations of a log. */
export const logAttacks: readonly Attack[] = [
  ['an event at position 0', () => [open, grant('0')], /position 0, customer-/],
  ['an event below position 0', () => [open, addStock('-7')], /position -7, stock-/],
  ['events far below 0', () => [open, grant('-1'), addStock('-2')], /position -1, [\s\S]*-2, /],
  ['a negative revision', () => [open, at('revision = -1')], /changed[\s\S]*revisions/, /changed/],
  [
    'an event far above the others',
    () => [grant('9223372036854775807')],
    /unsealed.*the shop has[\s\S]*positions have no gap/,
  ],
  ['an event at the head: a role', () => [grant(atHead)], /unsealed.*the shop has/],
  ['an event at the head: stock', () => [addStock(atHead)], /unsealed/],
  [
    'an event with the seal of another',
    () => [
      `insert into eventstore.events select max(position) + 1, 'stock-${on.productId}',
         ${nextOf(`stock-${on.productId}`)}, gen_random_uuid(), 'StockAdjusted', (
           select data from eventstore.events where type = 'StockAdjusted' limit 1
         ), (select metadata from eventstore.events where type = 'StockAdjusted' limit 1), now()
       from eventstore.events`,
    ],
    /unsealed.*Its seal is not right/,
  ],
  ['data', () => [at(`data = '{"a":1}'`)], /changed/, /changed/],
  [
    'the actor',
    () => [at(`metadata = replace(metadata::text, '"id":"', '"id":"x')::json`)],
    /changed/,
    /changed/,
  ],
  [
    'the seal alone',
    () => [at(`metadata = (metadata::jsonb - 'mac')::json`)],
    /changed/,
    /changed/,
  ],
  ['the type', () => [at(`type = 'OrderDelivered'`)], /changed/, /changed/],
  [
    'recorded_at',
    () => [at(`recorded_at = recorded_at - interval '1 hour'`)],
    /changed/,
    /changed/,
  ],
  ...['infinity', '-infinity', '0044-03-15 BC'].map(
    (time): Attack => [
      `recorded_at, as ${time}`,
      () => [at(`recorded_at = '${time}'`)],
      /changed/,
      /changed/,
    ],
  ),
  ['the id', () => [at('event_id = gen_random_uuid()')], /changed/, /changed/],
  ['the stream', () => [at(`stream = 'order-${randomUUID()}'`)], /changed/, /changed/],
  [
    'the case of a stream',
    () => [at('stream = upper(stream)')],
    /changed[\s\S]*every stream/,
    /changed/,
  ],
  [
    'when it happened',
    () => [at(`metadata = replace(metadata::text, '"at":"20', '"at":"19')::json`)],
    /changed/,
    /changed/,
  ],
  [
    'the version from which it is read',
    () => [at(`metadata = replace(metadata::text, '"v":', '"v":1')::json`)],
    /changed/,
    /changed/,
  ],
  [
    'the payloads of two events of one stream, swapped',
    () => [
      `update eventstore.events e
       set (data, metadata) = (
         select s.data, s.metadata from saved.eventstore_events s
         where s.stream = e.stream and s.revision = 3 - e.revision
       )
       where stream = 'stock-${on.productId}' and revision in (1, 2)`,
    ],
    /changed/,
    /changed/,
  ],
  [
    'a stream under the name of another, with all its events',
    () => [
      `update eventstore.events set stream = 'order-${randomUUID()}'
       where stream = (select min(stream) from eventstore.events where stream like 'order-%')`,
    ],
    /changed/,
    /changed/,
  ],
  [
    'the end of one stream, and nothing of the others',
    () => [
      `delete from eventstore.events
       where stream = 'stock-${on.productId}'
         and revision >= ${nextOf(`stock-${on.productId}`)} - 2`,
    ],
    /missing/,
    /missing/,
  ],
  [
    'an event once more, with an id and a place of its own',
    () => [
      `insert into eventstore.events
       select ${atHead}, stream, ${nextOf(`stock-${on.productId}`)}, gen_random_uuid(), type, data,
         metadata, now()
       from eventstore.events where stream = 'stock-${on.productId}' and revision = 0`,
    ],
    /unsealed.*Its seal is not right/,
  ],
  [
    'a deletion',
    () => [`delete from eventstore.events where position = ${on.target}`],
    /missing/,
    /missing/,
  ],
  [
    'a deletion at the end',
    () => [`delete from eventstore.events where position >= ${on.head}`],
    /missing/,
    /missing/,
  ],
  [
    'two that have changed places',
    () => [
      `update eventstore.events set position = 999999 where position = ${on.target}`,
      `update eventstore.events set position = ${on.target} where position = ${on.target} + 2`,
      `update eventstore.events set position = ${on.target} + 2 where position = 999999`,
    ],
    /changed/,
    /changed/,
  ],
  [
    'an edit that takes the newest checkpoint with it',
    () => [editNewest(), newestGone],
    /unsealed[\s\S]*went-back/,
    /changed/,
  ],
  ['the newest checkpoint alone', () => [newestGone], /went-back/, /went-back/],
  ['all checkpoints', () => [allGone], /went-back/, /has no checkpoint/],
  [
    'all checkpoints, their keys and the mark of the database',
    () => [allGone, 'delete from shop.audit_keys', 'delete from shop.audit_marks', editNewest()],
    /unsealed[\s\S]*went-back/,
    /has no checkpoint/,
  ],
  [
    'the end of the log with its checkpoint',
    () => [
      newestGone,
      `delete from eventstore.events
       where position > (select max(position) from shop.audit_checkpoints)`,
    ],
    /went-back/,
    /went-back/,
  ],
  [
    'the whole log',
    () => ['delete from eventstore.events', allGone, 'delete from shop.audit_marks'],
    /went-back/,
    /has no checkpoint/,
  ],
  [
    'a checkpoint in the middle',
    () => [
      `delete from shop.audit_checkpoints where position = (
         select position from shop.audit_checkpoints order by position offset 1 limit 1)`,
    ],
    /missing-checkpoint/,
    /missing-checkpoint/,
  ],
  [
    'the signature of a checkpoint',
    () => [`update shop.audit_checkpoints set signed = signed || 'A'`],
    /forged-checkpoint/,
    /forged-checkpoint/,
  ],
  [
    'the marks of a checkpoint',
    () => [`update shop.audit_checkpoints set marks = overlay(marks placing '\\x00' from 30)`],
    /changed/,
    /changed/,
  ],
  [
    'an event and its mark',
    () => [
      at(`data = '{"a":1}'`),
      `update shop.audit_checkpoints set marks = ''::bytea where position >= ${on.target}`,
    ],
    /wrong-hash|added/,
    /wrong-hash[\s\S]*went-back/,
  ],
  [
    'a snapshot',
    () => [
      `insert into shop.snapshots (stream, revision, event_id, version, written)
       select stream, revision, event_id, 1, '{"state":{"onHand":99999}}'
       from eventstore.events where stream = 'stock-${on.productId}'
       order by revision desc limit 1`,
    ],
    /snapshots are sealed: stock-/,
  ],
  [
    'the password of an admin',
    () => [
      `update shop.accounts set password_hash = (
         select password_hash from shop.accounts where customer_id = '${on.customerId}'
       ) where username = 'admin'`,
    ],
    /password hashes belong/,
  ],
  [
    'whose account it is',
    () => [
      `update shop.accounts set customer_id = gen_random_uuid() where username = 'admin'`,
      `update shop.accounts set customer_id = '${on.adminId}'
       where customer_id = '${on.customerId}'`,
    ],
    /password hashes belong/,
  ],
  [
    'the key of a person',
    () => [
      `update shop.person_keys set sealed_key = (
         select sealed_key from shop.person_keys where subject = '${on.customerId}'
       ) where subject = '${on.adminId}'`,
    ],
    /person_keys/,
  ],
  [
    'a key that signs tokens',
    () => [
      `insert into shop.signing_keys (kid, sealed_private_key, public_jwk)
      values ('mine', 'v1.AAAA', '{}')`,
    ],
    /signing_keys/,
  ],
  [
    'a key that signs checkpoints',
    () => [`insert into shop.audit_keys (kid, sealed_private_key) values ('mine', 'v1.AAAA')`],
    /audit_keys/,
  ],
  [
    'where webhooks go',
    () => [`update shop.webhook_endpoints set url = 'https://thief.example/'`],
    /webhook endpoints.*Its address or its events were changed/,
  ],
  [
    'which events go there',
    () => [`update shop.webhook_endpoints set events = events || '{order.placed}'`],
    /webhook endpoints.*Its address or its events were changed/,
  ],
  [
    'the secret of a webhook',
    () => [`update shop.webhook_endpoints set secret = 'v1.AAAA'`],
    /webhook endpoints.*Its secret is not of this row/,
  ],
]

// Stops rebuilds whose new tables would lack events that the log has lost.

import type { Kysely } from 'kysely'
import type { Tables } from '../core/tables.ts'
import { brokenFor, describeBroken } from './brokenStreams.ts'
import type { BrokenStreams, RebuildContext, RebuildMember, Rebuilt } from './context.ts'
import { turnOf } from './fill.ts'
import { lockEpoch, refuse } from './rebuildStates.ts'
import { dropSchema } from './shadow.ts'

type Db = Kysely<Tables>

/** A projection that is being rebuilt, with the broken streams that it reads. */
export interface Checked {
  member: RebuildMember
  broken: BrokenStreams
}

interface Checking {
  found: ReadonlyMap<string, string>
  on: RebuildContext
}

/** Which of the broken streams that are known by now a projection reads. */
export async function checkMember(
  member: RebuildMember,
  { found, on }: Checking,
): Promise<Checked> {
  const all = new Map([...found, ...on.streams.census.broken()])
  return { member, broken: await brokenFor(member.projection, all, on.streams) }
}

/** Whether the old tables are to stay in service. */
export function isRefused({ member, broken }: Checked): boolean {
  return broken.count > 0 && !member.acceptsBroken
}

/** Stops those that may not go into service. */
export async function stopBroken(
  db: Db,
  members: readonly RebuildMember[],
  checking: Checking,
): Promise<{ going: RebuildMember[]; stopped: Rebuilt[] }> {
  const checked = await Promise.all(members.map(each => checkMember(each, checking)))
  const refused = checked.filter(isRefused)
  const stopped = await Promise.all(refused.map(each => stop(db, each)))
  const going = checked.filter(each => !refused.includes(each)).map(({ member }) => member)
  return { going, stopped }
}

/** Leaves the old tables in service; the next rebuild begins anew. */
export async function stop(db: Db, { member, broken }: Checked): Promise<Rebuilt> {
  const { projection, shadow, position } = member
  const error =
    `stopped before its tables were replaced: ${describeBroken(broken)}. ` +
    'Bring the events back, or accept that they are missing ' +
    '(--accept-broken-streams, acceptBrokenStreams)'
  await db.transaction().execute(async trx => {
    await lockEpoch(trx, turnOf(member))
    await dropSchema(trx, shadow)
    await refuse(trx, turnOf(member), { error, broken })
  })
  const { name } = projection
  return { name, serves: false, position, matches: undefined, differences: [], broken }
}

// What the API tells of the rebuild of a projection.

import Type, { type Static } from 'typebox'
import { strict } from '../../../domain/kernel/types.ts'
import { shareOfWay, startOfLog } from '../../../kit/position.ts'
import { namedMax } from '../../../projections/rebuild/brokenStreams.ts'
import type { RebuildState } from '../../../projections/rebuild/rebuildStates.ts'
import { keysMax } from '../../../projections/rebuild/rowDifferences.ts'
import { many, nullable, Position, text, time } from '../../http/schemas.ts'

export const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** Rows that the old tables had otherwise; of each table the first keys. */
const Difference = Type.Object(
  {
    table: text(100),
    different: count,
    missing: count,
    extra: count,
    first: many(
      Type.Object({ kind: Type.Enum(['different', 'missing', 'extra']), key: text(4_000) }, strict),
      keysMax,
    ),
  },
  strict,
)
/** Streams that it reads and of which events are missing; the first are named. */
const BrokenStreams = Type.Object(
  {
    count,
    first: many(Type.Object({ stream: text(1_000), fault: text(1_000) }, strict), namedMax),
  },
  strict,
)
/** The last rebuild of a projection. */
export const Rebuild = Type.Object(
  {
    name: text(100),
    state: Type.Enum(['requested', 'running', 'done', 'failed']),
    version: count,
    position: Position,
    target: Position,
    progress: Type.Number({ minimum: 0, maximum: 1 }),
    matches: nullable(Type.Boolean()),
    differences: nullable(many(Difference, 20)),
    brokenStreams: nullable(BrokenStreams),
    error: nullable(text(2_000)),
    startedAt: time,
    updatedAt: time,
  },
  strict,
)

/** The last rebuild as it is shown. */
export function rebuildBody(rebuild: RebuildState): Static<typeof Rebuild> {
  const { position, target, startedAt, updatedAt, differences, brokenStreams, ...rest } = rebuild
  const share = target === startOfLog ? 0 : shareOfWay(startOfLog, position, target)
  return {
    ...rest,
    differences: differences?.map(each => ({ ...each, first: [...each.first] })) ?? null,
    brokenStreams: brokenStreams && { ...brokenStreams, first: [...brokenStreams.first] },
    position: String(position),
    target: String(target),
    progress: rest.state === 'done' ? 1 : share,
    startedAt: startedAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  }
}

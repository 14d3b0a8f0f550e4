// The periods over which sales are summed. They are in UTC, so that totals do not depend on the
// time zone of the shop: what a range of local days has besides whole periods is read line by line.

/** What sales are reported by. */
export const reportDimensions = ['day', 'product', 'category', 'country', 'customer'] as const
export type ReportDimension = (typeof reportDimensions)[number]

/**
 * Days begin at a quarter of an hour in every time zone; everything else has totals by month: by
 * day, products and customers would have nearly as many totals as lines.
 */
type Unit = 'quarter' | 'month'

function unitOf(dimension: ReportDimension): Unit {
  return dimension === 'day' ? 'quarter' : 'month'
}

/** Before it the clocks of some places differed from UTC by minutes and seconds. */
const quartersSince = Date.UTC(1980, 0, 1)
const quarterMs = 15 * 60_000

/** When the period begins in which a moment is, in milliseconds. */
export function periodOf(dimension: ReportDimension, at: number): number {
  if (unitOf(dimension) === 'quarter') return Math.floor(at / quarterMs) * quarterMs
  const start = new Date(at)
  start.setUTCHours(0, 0, 0, 0)
  return start.setUTCDate(1)
}

/** The beginning of a period that is nearest to a moment. */
function nearest(dimension: ReportDimension, at: number): number {
  const start = periodOf(dimension, at)
  const next = endOf(dimension, start)
  return at - start <= next - at ? start : next
}

function endOf(dimension: ReportDimension, start: number): number {
  if (unitOf(dimension) === 'quarter') return start + quarterMs
  const end = new Date(start)
  return end.setUTCMonth(end.getUTCMonth() + 1)
}

/** From a moment to another one, which is not in it. An infinite end is open. */
export interface Span {
  from: number
  to: number
}

/** Lines that belong to a sum, or have to be taken off it. */
export interface Edge extends Span {
  sign: 1 | -1
}

/** How the sum over a span is made: from totals of whole periods, and the lines at its ends. */
export interface Parts {
  whole: Span | undefined
  edges: Edge[]
}

/** The parts of a span; whichever way reads the fewest lines. */
export function partsOf(dimension: ReportDimension, { from, to }: Span): Parts {
  const since = unitOf(dimension) === 'quarter' ? quartersSince : Number.NEGATIVE_INFINITY
  const whole = {
    from: Math.max(since, Number.isFinite(from) ? nearest(dimension, from) : from),
    to: Number.isFinite(to) ? nearest(dimension, to) : to,
  }
  const edges = [edge(from, whole.from, 1), edge(to, whole.to, -1)].flat()
  // There are hardly any lines before totals begin.
  const read = edges.reduce(
    (sum, { from, to }) => sum + to - Math.max(from, Math.min(since, to)),
    0,
  )
  if (whole.from >= whole.to || read >= to - from) {
    return { whole: undefined, edges: [{ from, to, sign: 1 }] }
  }
  return { whole, edges }
}

/** What is between a moment and a later one; the other way round it counts against `sign`. */
function edge(from: number, to: number, sign: 1 | -1): Edge[] {
  if (from === to) return []
  return from < to ? [{ from, to, sign }] : [{ from: to, to: from, sign: sign === 1 ? -1 : 1 }]
}

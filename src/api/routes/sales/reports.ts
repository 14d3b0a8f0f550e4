// Reports for admins and auditors: sales by one dimension at a time, as JSON or CSV.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { decimalOf } from '../../../domain/kernel/money.ts'
import { SignedMoney, strict } from '../../../domain/kernel/types.ts'
import { reportDimensions } from '../../../projections/sales/salePeriods.ts'
import { type ReportLine, salesReport } from '../../../projections/sales/salesReport.ts'
import type { ApiContext } from '../../http/context.ts'
import { csvStream } from '../../http/csv.ts'
import { HttpProblem } from '../../http/problems.ts'
import { awaitPosition } from '../../http/readYourWrites.ts'
import { publish } from '../../http/route.ts'
import { integer, many, nullable, Position, text } from '../../http/schemas.ts'

const limitMax = 10_000
/** Lines in JSON unless more are asked for. */
const shownMax = 1_000
const day = (description: string) =>
  Type.Optional(Type.String({ format: 'date', maxLength: 10, description }))

const SalesQuery = Type.Object(
  {
    by: Type.Optional(Type.Enum([...reportDimensions], { default: 'day' })),
    from: day('The first day, in the time zone of the shop'),
    to: day('The last day, in the time zone of the shop'),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limitMax,
        description: 'Maximum number of lines: 1,000 by default in JSON, all in CSV',
      }),
    ),
    minPosition: Type.Optional(Position),
  },
  strict,
)
const SalesReport = Type.Object(
  {
    by: Type.Enum([...reportDimensions]),
    data: many(
      Type.Object(
        {
          /** Null for what has none: postage has no category, some orders no country. */
          key: nullable(text(200)),
          name: nullable(text(200)),
          orders: integer,
          quantity: integer,
          gross: SignedMoney,
          returned: SignedMoney,
          net: SignedMoney,
        },
        strict,
      ),
      limitMax,
    ),
    /** Of lines, more than are shown where `limit` cuts them off. */
    total: integer,
    timeZone: text(64),
  },
  strict,
)

/** Publishes the reports. */
export function reportRoutes(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'GET',
    url: '/admin/reports/sales',
    access: ['admin', 'auditor'],
    summary:
      'Sales by day, product, category, country or customer; as a table with Accept: text/csv',
    description:
      'What was paid for counts on the day it was paid, what came back on the day it came ' +
      'back, against the product, category, country and customer that it was sold as. ' +
      'Cancelled orders were not sold. A product counts for the category that it had when ' +
      'it was ordered. Days begin in the time zone of the shop.',
    tag: 'Admin',
    operationId: 'salesReport',
    query: SalesQuery,
    answer: {
      description: 'The report',
      content: {
        'application/json': { schema: SalesReport },
        'text/csv': { schema: Type.String({ maxLength: 10_000_000 }) },
      },
    },
    handle: (request, reply) => server.readLimit(request, () => answer(context, request, reply)),
  })
}

async function answer(
  context: ApiContext,
  request: FastifyRequest<{ Querystring: Static<typeof SalesQuery> }>,
  reply: FastifyReply,
) {
  const { by = 'day', from, to, limit } = request.query
  const { timeZone } = context.config
  for (const [pointer, given] of Object.entries({ '/from': from, '/to': to })) {
    if (given !== undefined && !isDay(given))
      throw badDay(pointer, 'must be an existing day, such as 2026-06-30')
  }
  if (from !== undefined && to !== undefined && from > to) throw badDay('/from', 'After `to`.')
  // What is found under a key is called as it is in the other two.
  await awaitPosition(context, request, 'sales', 'catalogue', 'customers')
  reply.header('vary', 'accept')
  const range = { by, from, to, timeZone }
  if (!/\btext\/csv\b/.test(request.headers.accept ?? '')) {
    const report = await salesReport(context.db, { ...range, limit: limit ?? shownMax })
    return { by, ...report, timeZone }
  }
  const { data } = await salesReport(context.db, { ...range, limit: limit ?? null })
  const rows = data.map(line => [...cellsOf(line), timeZone])
  return reply
    .type('text/csv; charset=utf-8')
    .header('content-disposition', `attachment; filename="sales-by-${by}.csv"`)
    .send(csvStream([by, ...columns], rows))
}

/** Whether the calendar has it: there is no year 0. */
function isDay(text: string): boolean {
  if (text.startsWith('0000')) return false
  const at = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}

function badDay(pointer: string, detail: string): HttpProblem {
  return new HttpProblem('request/invalid', 'The date range is invalid.', {
    errors: [{ pointer, detail, in: 'querystring' }],
  })
}

/** Amounts are decimal: a spreadsheet knows nothing of minor units. */
const columns = ['name', 'currency', 'orders', 'quantity', 'gross', 'returned', 'net', 'timeZone']

function cellsOf({ key, name, orders, quantity, gross, returned, net }: ReportLine) {
  const amounts = [gross, returned, net].map(money => ({ number: decimalOf(money) }))
  return [key, name, gross.currency, orders, quantity, ...amounts]
}

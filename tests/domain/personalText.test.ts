// Free text in events is personal unless it is listed here: a field that somebody forgets to mark
// would stay readable after its person has been erased.
import type { TSchema } from 'typebox'
import { expect, it } from 'vitest'
import { eventSchemas } from '../../src/domain/index.ts'

type Shape = TSchema & {
  personal?: boolean
  type?: string
  pattern?: string
  format?: string
  properties?: Record<string, Shape>
  anyOf?: Shape[]
  items?: Shape
}

/** Text about goods, payments and files. */
const aboutGoods = ['name', 'sku', 'description', 'alt', 'code', 'document']
const aboutPayments = ['provider', 'reference', 'method', 'paymentMethod', 'orderNumber', 'country']
/** Codes of providers and of imports. */
const codes = [
  'DisputeOpened/reason',
  'LedgerDocumentImported/refusals/reason',
  'RefundReversed/reason',
]

/** The paths of strings that hold any text and are not personal. */
function freeText(schema: Shape, path: string): string[] {
  if (schema.personal === true) return []
  const isFree =
    schema.type === 'string' && schema.pattern === undefined && schema.format === undefined
  return [
    ...(isFree && !('enum' in schema) && !('const' in schema) ? [path] : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, each]) =>
      freeText(each, `${path}/${name}`),
    ),
    ...(schema.anyOf ?? []).flatMap(each => freeText(each, path)),
    ...(schema.items === undefined ? [] : freeText(schema.items, path)),
  ]
}

it('is personal but for the fields that are listed here', () => {
  const found = Object.entries(eventSchemas).flatMap(([type, schema]) => freeText(schema, type))
  const listed = new Set([...aboutGoods, ...aboutPayments])
  const others = found.filter(path => !listed.has(path.split('/').at(-1) ?? ''))
  expect(others.sort()).toEqual(codes)
})

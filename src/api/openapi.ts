// The OpenAPI document: made from the schemas that validate, each shape told once, by name.
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'
import type { Config } from '../config.ts'
import { Charge, OrderLine } from '../domain/order.ts'
import { Money } from '../domain/types.ts'
import { Category, PriceHistory, Product, ProductDetail, StockLedger } from './catalogueSchemas.ts'
import { descriptionOf } from './descriptions.ts'
import { addExamples } from './examples.ts'
import {
  AcceptedBody,
  Cart,
  CartTotal,
  OrderDetail,
  OrderHistory,
  OrderSummary,
  Problem,
  Profile,
  problemResponses,
  SignedIn,
} from './schemas.ts'

/** What a generated client calls the shapes that it meets most. */
const named: Readonly<Record<string, TSchema>> = {
  Accepted: AcceptedBody,
  Cart,
  CartTotal,
  Category,
  Charge,
  Money,
  OrderDetail,
  OrderHistory,
  OrderLine,
  OrderSummary,
  PriceHistory,
  Problem,
  Product,
  ProductDetail,
  Profile,
  SignedIn,
  StockLedger,
}

const tags = [
  { name: 'Accounts', description: 'Who you are, and where you are signed in' },
  { name: 'Catalogue', description: 'What is sold: products, categories, stock, prices, images' },
  { name: 'Cart', description: 'What somebody is about to buy; guests have one, too' },
  { name: 'Orders', description: 'From the cart to the doorstep, and back' },
  { name: 'Real time', description: 'Orders as they move' },
  { name: 'Payments', description: 'What payment providers tell the shop' },
  { name: 'Mails', description: 'What the shop writes to people, and what could not be delivered' },
  { name: 'Webhooks', description: 'What the shop tells others' },
  { name: 'Audit', description: 'The log, and what it proves' },
  { name: 'Admin', description: 'People and read models' },
]

/** Publishes the document under the root, as JSON and as YAML. */
export async function openApi(app: FastifyInstance, config: Config): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: `${config.shopName} API`,
        description:
          'Commands append events, reads come from projections. Money is in minor units.',
        version: '1',
      },
      servers: [{ url: config.publicUrl }],
      tags,
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    },
    transformObject: document => {
      if (!('openapiObject' in document)) return document.swaggerObject
      explain(document.openapiObject, config.currency)
      return withNames(document.openapiObject)
    },
  })
  const open = { config: { access: 'public' as const }, schema: { hide: true } }
  app.get('/openapi.json', open, () => app.swagger())
  app.get('/openapi.yaml', open, (_, reply) =>
    reply.type('application/yaml').send(app.swagger({ yaml: true })),
  )
}

type Operations = Record<
  string,
  Parameters<typeof descriptionOf>[0] & Parameters<typeof addExamples>[0]
>

/** Gives every operation a description and examples that can be sent as they are. */
function explain(document: { paths?: object }, currency: string): void {
  for (const [path, methods] of Object.entries<Operations>({ ...document.paths })) {
    for (const operation of Object.values(methods)) {
      operation.description = descriptionOf(operation)
      addExamples(operation, path, currency)
    }
  }
}

/**
 * The same document with one definition for what it would say hundreds of times: without it, four
 * fifths of it are the same fourteen refusals, and a generated client has no names for anything.
 */
function withNames<Document extends { components?: object }>(document: Document): Document {
  const { components, ...rest } = document
  const references = new Map<string, string>()
  for (const [status, response] of Object.entries(problemResponses)) {
    references.set(JSON.stringify(response), `#/components/responses/Problem${status}`)
  }
  const shapes = Object.entries(named).map(([name, schema]) => ({ name, shape: asShown(schema) }))
  for (const { name, shape } of shapes) {
    references.set(JSON.stringify(shape), `#/components/schemas/${name}`)
  }
  const inside = (value: unknown) => replaced(value, references, false)
  const responses = Object.entries(problemResponses).map(([status, response]) => {
    return [`Problem${status}`, inside(response)]
  })
  const schemas = shapes.map(({ name, shape }) => [name, inside(shape)])
  return Object.assign(document, replaced(rest, references, true), {
    components: {
      ...components,
      schemas: Object.fromEntries(schemas),
      responses: Object.fromEntries(responses),
    },
  })
}

/** As the document shows it: a constant is a choice of one. */
function asShown(schema: TSchema): unknown {
  const text = JSON.stringify(schema, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('const' in value)) return value
    const { const: only, ...rest } = value
    return { ...rest, enum: [only] }
  })
  return JSON.parse(text)
}

/** A copy with references for what has a name; for the value itself only where it may have one. */
function replaced(
  value: unknown,
  references: ReadonlyMap<string, string>,
  itself: boolean,
): unknown {
  if (typeof value !== 'object' || value === null) return value
  const reference = itself ? references.get(JSON.stringify(value)) : undefined
  if (reference !== undefined) return { $ref: reference }
  if (Array.isArray(value)) return value.map(each => replaced(each, references, true))
  const entries = Object.entries(value).map(([key, each]) => {
    return [key, replaced(each, references, true)]
  })
  return Object.fromEntries(entries)
}

// The OpenAPI document: made from the schemas that validate, with each shape declared once.
import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import type { Config } from '../config/config.ts'
import { Money } from '../domain/kernel/types.ts'
import { descriptionOf } from './http/descriptions.ts'
import { addExamples } from './http/examples.ts'
import type { RouteGroup } from './http/route.ts'
import { AcceptedBody, Problem, problemResponses } from './http/schemas.ts'

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
export async function openApi(
  server: FastifyInstance,
  config: Config,
  groups: readonly RouteGroup[],
): Promise<void> {
  const named = Object.assign(
    { Accepted: AcceptedBody, Money, Problem },
    ...groups.map(each => each.schemas),
  )
  await server.register(swagger, {
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
    transform: ({ schema, url }) => ({ schema: withoutProblems(schema), url }),
    transformObject: document => {
      if (!('openapiObject' in document)) return document.swaggerObject
      explain(document.openapiObject, config.currency)
      return withNames(document.openapiObject, named)
    },
  })
  const open = { config: { access: 'public' as const }, schema: { hide: true } }
  server.get('/openapi.json', open, () => server.swagger())
  server.get('/openapi.yaml', open, (_, reply) =>
    reply.type('application/yaml').send(server.swagger({ yaml: true })),
  )
}

type Operation = Parameters<typeof descriptionOf>[0] &
  Parameters<typeof addExamples>[0] & { responses: object; 'x-refusals'?: string[] }

/** The name of the problem response of a status. */
const problemName = (status: string) => `Problem${status}`

/**
 * A schema without the refusals that routes share, which `explain` adds as references: converted
 * for every route they would be four fifths of the work.
 */
function withoutProblems(schema: FastifySchema | undefined): FastifySchema {
  if (schema === undefined) return {}
  const shared: Readonly<Record<string, unknown>> = problemResponses
  const responses = Object.entries(Object(schema.response))
  const own = responses.filter(([status, response]) => response !== shared[status])
  const refusals = responses.map(([status]) => status).filter(status => status in shared)
  return Object.assign({ ...schema }, { response: Object.fromEntries(own), 'x-refusals': refusals })
}

/** Gives every operation a description and examples that can be sent unchanged. */
function explain(document: { paths?: object }, currency: string): void {
  const paths: Record<string, Record<string, Operation>> = { ...document.paths }
  for (const [path, methods] of Object.entries(paths)) {
    for (const operation of Object.values(methods)) {
      const { 'x-refusals': refusals = [] } = operation
      delete operation['x-refusals']
      const references = refusals.map(status => {
        return [status, { $ref: `#/components/responses/${problemName(status)}` }]
      })
      Object.assign(operation.responses, Object.fromEntries(references))
      operation.description = descriptionOf(operation)
      addExamples(operation, path, currency)
    }
  }
}

/** The same document with one definition of each named shape. */
function withNames<Document extends { components?: object }>(
  document: Document,
  named: Readonly<Record<string, TSchema>>,
): Document {
  const { components, ...rest } = document
  const shapes = Object.entries(named).map(([name, schema]) => ({ name, shape: asShown(schema) }))
  const references = new Map(
    shapes.map(({ name, shape }) => [JSON.stringify(shape), `#/components/schemas/${name}`]),
  )
  const longest = Math.max(...[...references.keys()].map(text => text.length))
  const inside = (value: unknown) => replaced(value, { references, longest }, false).value
  const responses = Object.entries(problemResponses).map(([status, response]) => {
    return [problemName(status), inside(response)]
  })
  const schemas = shapes.map(({ name, shape }) => [name, inside(shape)])
  return Object.assign(document, inside(rest), {
    components: {
      ...components,
      schemas: Object.fromEntries(schemas),
      responses: Object.fromEntries(responses),
    },
  })
}

/** As the document shows it: a constant is an enum with one value. */
function asShown(schema: TSchema): unknown {
  const text = JSON.stringify(schema, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('const' in value)) return value
    const { const: only, ...rest } = value
    return { ...rest, enum: [only] }
  })
  return JSON.parse(text)
}

interface Names {
  /** By the JSON of a shape. */
  references: ReadonlyMap<string, string>
  /** The length of the longest of them. */
  longest: number
}

/**
 * A copy with references for named shapes, and the JSON of the original, made from that of
 * its parts; for the value itself only if it may have one.
 */
function replaced(value: unknown, names: Names, itself: boolean): { value: unknown; text: string } {
  if (typeof value !== 'object' || value === null) return { value, text: JSON.stringify(value) }
  const isList = Array.isArray(value)
  const parts = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([key, each]) => ({ key, ...replaced(each, names, true) }))
  const text = isList
    ? `[${parts.map(part => part.text).join()}]`
    : `{${parts.map(part => `${JSON.stringify(part.key)}:${part.text}`).join()}}`
  const reference = itself && text.length <= names.longest ? names.references.get(text) : undefined
  if (reference !== undefined) return { value: { $ref: reference }, text }
  if (isList) return { value: parts.map(part => part.value), text }
  return { value: Object.fromEntries(parts.map(part => [part.key, part.value])), text }
}

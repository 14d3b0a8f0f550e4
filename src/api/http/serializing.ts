// Writes answers by the schemas of their routes; what writes one is compiled when it is first used.
import fastJsonStringify from 'fast-json-stringify'
import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'

type Serialize = (data: unknown) => string

/**
 * A hundred routes declare the same fourteen refusals, most of which are never answered: compiling
 * all of them takes half of a start. One schema is compiled once, for all routes that have it.
 */
export function useSerializers(server: FastifyInstance): void {
  const compiled = new WeakMap<TSchema, Serialize>()
  server.setSerializerCompiler<TSchema>(({ schema }) => data => {
    const known = compiled.get(schema)
    const serialize: Serialize = known ?? fastJsonStringify(schema)
    if (known === undefined) compiled.set(schema, serialize)
    return serialize(data)
  })
}

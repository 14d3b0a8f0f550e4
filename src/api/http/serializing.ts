// Serializes responses by the schemas of their routes, compiled when they are first used.
import fastJsonStringify from 'fast-json-stringify'
import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'

type Serialize = (data: unknown) => string

/**
 * A hundred routes declare the same fifteen problems, most of which are never sent: compiling
 * all of them takes half of a start. Each schema is compiled once for all routes.
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

// A server that does no more than a limit needs: HTTP, validation, one query, one append.
import { fastify } from 'fastify'
import pg from 'pg'
import Type from 'typebox'
import { useValidators as checkWith } from '../src/api/http/validation.ts'
import { addBareRoute } from './bareRoutes.ts'
import { isLimits, type Limits } from './limitServer.ts'

const Body = Type.Object(
  { productId: Type.String({ format: 'uuid' }), quantity: Type.Integer({ minimum: 1 }) },
  { additionalProperties: false },
)
const json = 'application/json; charset=utf-8'

process.on('message', message => {
  if (isLimits(message)) void serve(message)
})
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())

async function serve(limits: Limits): Promise<void> {
  const server = build(limits)
  if (limits.bare !== undefined) {
    await addBareRoute(server, limits.bare.work, limits.bare.settings)
  }
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  process.send?.({ url })
}

function build({ databaseUrl, bytes, select }: Limits) {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const server = fastify()
  checkWith(server)
  server.post(
    '/echo',
    { schema: { body: Body, response: { 200: Body } } },
    async ({ body }) => body,
  )
  server.get('/static', (_, reply) => reply.type(json).send(bytes))
  server.get<{ Params: { id: string } }>('/select/:id', async ({ params }) => {
    const { rows } = await pool.query({ name: 'limit', text: select, values: [params.id] })
    return rows[0]
  })
  return server
}

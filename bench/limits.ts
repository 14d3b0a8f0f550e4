// A server that does next to nothing: what HTTP, validation and one query cost on this machine.
import { fastify } from 'fastify'
import pg from 'pg'
import Type from 'typebox'
import { useValidators as checkWith } from '../src/api/http/validation.ts'
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

async function serve(wanted: Limits): Promise<void> {
  const url = await build(wanted).listen({ host: '127.0.0.1', port: 0 })
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

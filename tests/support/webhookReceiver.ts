// Somebody who listens for webhooks: a real HTTP server that keeps what it gets.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { assertDeclared } from './asyncApi.ts'
import { waitFor } from './waitFor.ts'

export interface ReceivedHook {
  id: string
  headers: IncomingHttpHeaders
  raw: string
  body: { type: string; timestamp: string; data: Record<string, unknown> }
}

/** Starts listening on a port of its own. */
export async function webhookReceiver() {
  const port = await freePort()
  const all: ReceivedHook[] = []
  const state = { answers: 204, headers: {} }
  const listen = () => {
    const server = createServer(async (request, response) => {
      const raw = await text(request)
      const { headers } = request
      all.push({ id: String(headers['webhook-id']), headers, raw, body: JSON.parse(raw) })
      response.writeHead(state.answers, state.headers).end()
    })
    return new Promise<typeof server>(resolve => {
      server.listen(port, '127.0.0.1', () => resolve(server))
    })
  }
  let server: Awaited<ReturnType<typeof listen>> | undefined = await listen()
  const receiver = {
    url: `http://127.0.0.1:${port}/hooks`,
    all,
    answer(status: number, headers = {}) {
      Object.assign(state, { answers: status, headers })
    },
    of: (field: string, id: string) => all.filter(({ body }) => body.data[field] === id),
    /** Waits for so many about something. */
    until: (count: number, field: string, id: string) =>
      waitFor(`${count} webhooks about ${id}`, () => {
        const found = receiver.of(field, id)
        for (const { body, headers } of found) {
          assertDeclared(body.type, 'payload', body)
          assertDeclared(body.type, 'headers', headers)
        }
        return found.length >= count ? found : undefined
      }),
    async start() {
      server ??= await listen()
    },
    async stop() {
      const stopping = server
      server = undefined
      stopping?.closeAllConnections()
      await new Promise(resolve => (stopping ? stopping.close(resolve) : resolve(undefined)))
    },
  }
  return receiver
}

/** What the reference implementation of Standard Webhooks makes of it; throws when it is forged. */
export function verified(secret: string, { raw, headers }: ReceivedHook): unknown {
  const strings = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value]] : [],
  )
  return new Webhook(secret).verify(raw, Object.fromEntries(strings))
}

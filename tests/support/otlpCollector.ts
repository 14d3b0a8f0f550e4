// A collector of OpenTelemetry: a real HTTP server that keeps the spans that are sent to it.
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import Type, { type Static } from 'typebox'
import { Parse } from 'typebox/value'
import { freePort } from '../../src/infra/system/tcpPorts.ts'

const Span = Type.Object({
  traceId: Type.String(),
  spanId: Type.String(),
  parentSpanId: Type.Optional(Type.String()),
  name: Type.String(),
  attributes: Type.Array(Type.Object({ key: Type.String(), value: Type.Unknown() })),
})
export type Span = Static<typeof Span>
const Sent = Type.Object({
  resourceSpans: Type.Array(
    Type.Object({ scopeSpans: Type.Array(Type.Object({ spans: Type.Array(Span) })) }),
  ),
})

/** Starts listening on a port of its own. */
export async function otlpCollector() {
  const port = await freePort()
  const spans: Span[] = []
  const paths = new Set<string | undefined>()
  const server = createServer(async (request, response) => {
    paths.add(request.url)
    const { resourceSpans } = Parse(Sent, JSON.parse(String(await buffer(request))))
    spans.push(...resourceSpans.flatMap(each => each.scopeSpans.flatMap(scope => scope.spans)))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    paths,
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

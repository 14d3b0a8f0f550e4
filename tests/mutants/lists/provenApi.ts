// What tests/acceptance promises of the API's documents, live connections and dashboards.
import type { TestedMutant } from '../mutant.ts'

const openapi = { test: 'tests/api/openapi.test.ts' }
const reference = { file: 'src/api/routes/pages/reference.ts', test: 'tests/api/reference.test.ts' }
const queues = { file: 'src/api/routes/operations/queueBoard.ts', test: 'tests/api/queues.test.ts' }
const realtime = { test: 'tests/api/realtime.test.ts' }
const bounds = { test: 'tests/api/realtimeBounds.test.ts' }
const server = { file: 'src/api/server.ts' }

export const provenOfApi: readonly TestedMutant[] = [
  {
    name: 'every-field-bounded',
    promise: 'no field that can be sent is without a bound',
    file: 'src/api/routes/account/accounts.ts',
    find: 'const RefreshBody = Type.Object({ refresh: secret(200) }, strict)',
    replace: 'const RefreshBody = Type.Object({ refresh: Type.String() }, strict)',
    test: 'tests/api/bounds.test.ts',
  },
  {
    ...openapi,
    name: 'texts-bounded',
    promise: 'the document says how long each text may be',
    file: 'src/api/routes/account/passwords.ts',
    find: 'const ResetBody = Type.Object({ email: line(254) }, strict)',
    replace: 'const ResetBody = Type.Object({ email: Type.String() }, strict)',
  },
  {
    ...openapi,
    name: 'routes-of-the-contract',
    file: 'src/api/routes/index.ts',
    promise: 'the document names every route of the contract, such as the cart',
    find: '  cart,\n  order,\n',
    replace: '  order,\n',
  },
  {
    ...openapi,
    ...server,
    name: 'documentation-in-a-browser',
    promise: 'the documentation can be read in a browser',
    find: "  await server.register(swaggerUi, { routePrefix: '/docs' })\n",
    replace: '',
  },
  {
    ...openapi,
    name: 'liveness',
    promise: 'operators see whether the shop lives',
    file: 'src/api/routes/operations/operations.ts',
    find: "server.get('/healthz'",
    replace: "server.get('/alive'",
  },
  {
    ...openapi,
    name: 'names-of-operations',
    promise: 'every operation of the document has a name of its own',
    file: 'src/api/http/commandRoute.ts',
    find: "operationId: route.operationId ?? command.name + (method === 'PUT' ? 'ByPut' : ''),",
    replace: 'operationId: route.operationId ?? command.name,',
  },
  {
    ...openapi,
    name: 'read-models-for-staff',
    promise: 'how far the read models are is for admins and auditors',
    file: 'src/api/routes/operations/projections.ts',
    find: "const readers = ['admin', 'auditor'] as const",
    replace: "const readers = ['admin', 'auditor', 'customer'] as const",
  },
  {
    ...openapi,
    name: 'parameters-declared',
    promise: 'the document declares every parameter of every path',
    file: 'src/api/openapi.ts',
    find: '      addExamples(operation, path, currency)\n',
    replace:
      '      addExamples(operation, path, currency)\n' +
      "      Reflect.deleteProperty(operation, 'parameters')\n",
  },
  {
    ...openapi,
    name: 'pages-of-problems',
    file: 'src/api/routes/pages/index.ts',
    promise: 'each problem has a page that says what it means',
    find: 'homePage, problemPages,',
    replace: 'homePage,',
  },
  {
    ...reference,
    name: 'reference-is-there',
    promise: 'the reference loads what it needs from the shop, and it is there',
    find: "const bundle = 'redoc/bundles/redoc.standalone.js'",
    replace: "const bundle = 'redoc/bundles/missing.js'",
  },
  {
    ...reference,
    name: 'reference-asks-nobody',
    promise: 'the reference asks no other host for anything',
    find: "Buffer.from(text.replaceAll(foreignLogo, 'data:,'))",
    replace: 'Buffer.from(text)',
  },
  {
    ...queues,
    name: 'queues-only-shown',
    promise: 'the dashboard of the queues shows them, and changes nothing',
    find: 'new BullMQAdapter(queue, { readOnlyMode: true })',
    replace: 'new BullMQAdapter(queue, { readOnlyMode: false })',
  },
  {
    ...queues,
    name: 'queues-ask-to-sign-in',
    promise: 'a stranger in a browser is asked to sign in to the queues',
    find: "if (!isStranger || !/\\btext\\/html\\b/.test(request.headers.accept ?? '')) {",
    replace: "if (!isStranger || request.headers.accept !== '') {",
  },
  {
    ...realtime,
    name: 'tokens-of-browsers',
    promise: 'browsers follow orders with a token in the subprotocol',
    file: 'src/api/http/actor.ts',
    find: "return scheme === 'bearer' || scheme === 'ticket' ? { scheme, token } : undefined",
    replace: "return scheme === 'ticket' ? { scheme, token } : undefined",
  },
  {
    ...realtime,
    name: 'live-is-not-timed-out',
    promise: 'a live connection stays open for longer than a request may take',
    file: 'src/api/http/requestTimeout.ts',
    find: '  if (reply.sent) return\n  if (reply.raw.headersSent) reply.raw.destroy()\n',
    replace:
      '  if (reply.sent) reply.request.raw.socket.destroy()\n' +
      '  else if (reply.raw.headersSent) reply.raw.destroy()\n',
  },
  {
    ...realtime,
    name: 'handshakes-refused',
    promise: 'who has no valid token is refused before anything is opened',
    file: 'src/api/http/actor.ts',
    find:
      "return { scheme: 'bearer', token: bearer.test(authorization) ? " +
      "authorization.slice(7) : '' }",
    replace:
      "return { scheme: 'bearer', token: authorization.slice(authorization.indexOf(' ') + 1) }",
  },
  {
    ...realtime,
    name: 'staff-hears-of-all',
    promise: 'the staff hears of everybody’s orders once it has asked',
    file: 'src/api/realtime/orderStream.ts',
    find: '      at.scope = undefined\n',
    replace: '',
  },
  {
    ...realtime,
    name: 'beyond-the-log',
    promise: 'who asks to go on from beyond the log is told to load anew',
    file: 'src/api/realtime/orderStream.ts',
    find: 'missed.length > resumeMax || after > (await eventStore.head())',
    replace: 'missed.length > resumeMax',
  },
  {
    ...bounds,
    name: 'connections-all-at-once',
    promise: 'nobody has more live connections for asking for all of them at once',
    file: 'src/api/realtime/connections.ts',
    find: '    connections.add(connection)\n',
    replace: '    setTimeout(() => connections.add(connection), 500)\n',
  },
  {
    ...bounds,
    name: 'live-ends-with-role',
    promise: 'a live connection ends when a role is taken away that it was opened with',
    file: 'src/api/realtime/connections.ts',
    find: 'if (connection.roles.some(role => !current.includes(role))) {',
    replace: 'if (connection.roles.length === 0) {',
  },
  {
    ...bounds,
    name: 'slow-readers-sent-away',
    promise: 'a client that reads too slowly is told where to go on',
    file: 'src/api/realtime/realtime.ts',
    find: 'socket.close(closing.tooSlow, `resume:${last}`)',
    replace: "socket.close(closing.tooSlow, 'too slow')",
  },
  {
    name: 'every-route-has-rights',
    promise: 'a route that nobody has said the rights of is not published',
    file: 'src/api/routes/order/orders.ts',
    find: "['/orders/checkout', 'CheckOut'],",
    replace: "['/orders/checkout', 'CheckOut'],\n    ['/orders/quick', 'QuickOrder'],",
    test: 'tests/security/matrix.test.ts',
  },
  {
    name: 'nonsense-never-a-fault',
    promise: 'whatever is sent is answered as declared, and never with a fault of the shop',
    file: 'src/api/http/paging.ts',
    find: '  if (Cursor.Check(parsed)) {\n',
    replace: '  if (parsed !== null) {\n',
    test: 'tests/security/fuzz.test.ts',
    slow: true,
  },
  {
    name: 'secret-leaves-the-address',
    promise: 'the secret of a mailed link is taken out of the address at once',
    file: 'src/api/pages/resetPage/page.js',
    find: "  history.replaceState(null, '', location.pathname)\n",
    replace: '',
    inCopy: true,
    test: 'tests/api/resetPage.test.ts',
    slow: true,
  },
]

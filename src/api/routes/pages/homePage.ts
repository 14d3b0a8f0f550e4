// The page at the root: what runs here, and where its parts are.
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../../http/context.ts'
import { sendPlainPage } from '../../http/plainPage.ts'

const body = `<nav aria-label="Parts of the shop">
<a href="/console"><strong>Console</strong><span>For the staff: orders, products, reports</span></a>
<a href="/docs"><strong>API documentation</strong><span>To try requests out</span></a>
<a href="/redoc"><strong>API reference</strong><span>To read</span></a>
</nav>
<p>A storefront comes later.</p>`

/** Publishes the page; it is the same for everybody. */
export function homePage(server: FastifyInstance, { config }: ApiContext): void {
  const open = { config: { access: 'public' as const }, schema: { hide: true } }
  server.get('/', open, (_, reply) =>
    sendPlainPage(reply.header('cache-control', 'public, max-age=300'), {
      title: config.shopName,
      body,
    }),
  )
}

// The page to which the links in mails about orders lead.
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../context.ts'
import { pageFile, serveText, shopPage } from '../servePage.ts'

const folder = 'linkPages'

/** Publishes the page of an order. It is the same for every id: it tells nobody what exists. */
export function linkPages(app: FastifyInstance, { config: { shopName } }: ApiContext): void {
  serveText(app, '/orders/page.css', 'text/css', pageFile('resetPage', 'page.css'))
  serveText(app, '/orders/:orderId', 'text/html', shopPage(folder, 'order.html', shopName))
}

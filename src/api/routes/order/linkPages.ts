// The pages to which mailed links lead: about an order, and to confirm an address.
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../../http/context.ts'
import { pageFile, serveText, shopPage } from '../../http/servePage.ts'

const folder = 'linkPages'

/** Publishes the pages. That of an order is the same for every id: it tells nobody what exists. */
export function linkPages(server: FastifyInstance, { config: { shopName } }: ApiContext): void {
  serveText(server, '/orders/page.css', 'text/css', pageFile('resetPage', 'page.css'))
  serveText(server, '/confirm-email/page.css', 'text/css', pageFile('resetPage', 'page.css'))
  serveText(server, '/confirm-email/page.js', 'text/javascript', pageFile(folder, 'confirm.js'))
  serveText(server, '/confirm-email', 'text/html', shopPage(folder, 'confirm.html', shopName))
  serveText(server, '/orders/:orderId', 'text/html', shopPage(folder, 'order.html', shopName))
}

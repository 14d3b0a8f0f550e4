// The page to which a mailed link leads: it sets a new password. A shop's own page can replace it.
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../../http/context.ts'
import { pageFile, serveText, shopPage } from '../../http/servePage.ts'

const folder = 'resetPage'

/** Publishes the page under the root, unless RESET_PAGE_URL names another. */
export function resetPage(server: FastifyInstance, { config }: ApiContext): void {
  if (config.resetPageUrl !== undefined) return
  serveText(server, '/reset-password', 'text/html', shopPage(folder, 'page.html', config.shopName))
  serveText(server, '/reset-password/page.js', 'text/javascript', pageFile(folder, 'page.js'))
  serveText(server, '/reset-password/page.css', 'text/css', pageFile(folder, 'page.css'))
}

// The page to which a mailed link leads: it sets a new password. A shop's own page can replace it.
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../../http/context.ts'
import { pageFile, serveText, shopPage } from '../../http/servePage.ts'

const folder = 'resetPage'

/** Publishes the page under the root, unless RESET_PAGE_URL names another. */
export function resetPage(app: FastifyInstance, { config }: ApiContext): void {
  if (config.resetPageUrl !== undefined) return
  serveText(app, '/reset-password', 'text/html', shopPage(folder, 'page.html', config.shopName))
  serveText(app, '/reset-password/page.js', 'text/javascript', pageFile(folder, 'page.js'))
  serveText(app, '/reset-password/page.css', 'text/css', pageFile(folder, 'page.css'))
}

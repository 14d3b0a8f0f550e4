// The page to which a mailed link leads: it sets a new password. A shop's own page can replace it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../context.ts'

const folder = join(import.meta.dirname, '../resetPage')
const options = { config: { access: 'public' as const }, schema: { hide: true } }

/** Publishes the page under the root, unless RESET_PAGE_URL names another. */
export function resetPage(app: FastifyInstance, { config }: ApiContext): void {
  if (config.resetPageUrl !== undefined) return
  const page = fileOf('page.html').replace('{{shopName}}', () => escaped(config.shopName))
  serve(app, '/reset-password', 'text/html', page)
  serve(app, '/reset-password/page.js', 'text/javascript', fileOf('page.js'))
  serve(app, '/reset-password/page.css', 'text/css', fileOf('page.css'))
}

function serve(app: FastifyInstance, url: string, type: string, text: string): void {
  app.get(url, options, (_, reply) =>
    reply
      .type(`${type}; charset=utf-8`)
      .header('cache-control', 'no-cache')
      .header('referrer-policy', 'no-referrer')
      .send(text),
  )
}

function fileOf(name: string): string {
  return readFileSync(join(folder, name), 'utf8')
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function escaped(text: string): string {
  return text.replace(/[&<>]/g, character => entities[character] ?? character)
}

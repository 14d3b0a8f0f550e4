// Static pages that mailed links lead to, without external scripts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { escapeHtml } from './plainPage.ts'

const options = { config: { access: 'public' as const }, schema: { hide: true } }

/** Serves a text under the root, without Referer, since links may contain secrets. */
export function serveText(server: FastifyInstance, url: string, type: string, text: string): void {
  server.get(url, options, (_, reply) =>
    reply
      .type(`${type}; charset=utf-8`)
      .header('cache-control', 'no-cache')
      .header('referrer-policy', 'no-referrer')
      .send(text),
  )
}

/** A file of a page. */
export function pageFile(folder: string, name: string): string {
  return readFileSync(join(import.meta.dirname, '../pages', folder, name), 'utf8')
}

/** A page that names the shop. */
export function shopPage(folder: string, name: string, shopName: string): string {
  return pageFile(folder, name).replaceAll('{{shopName}}', () => escapeHtml(shopName))
}

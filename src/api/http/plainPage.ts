// Plain HTML pages of the server itself, without scripts and external resources.
import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { policyWith } from './secureHeaders.ts'

const style = `
:root { color-scheme: light dark }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText }
main { max-width: 42rem; margin: 0 auto; padding: 2.5rem 1.25rem }
.shop { margin: 0; font-weight: 600; opacity: .75 }
h1 { margin: .25rem 0 1.5rem; font-size: 1.6rem; line-height: 1.2; overflow-wrap: anywhere }
a { color: LinkText }
a:focus-visible { outline: 3px solid #60a5fa; outline-offset: 2px }
nav { display: grid; gap: .75rem; margin: 0 0 1.5rem }
nav a { display: block; padding: .9rem 1rem; border: 1px solid #8888; border-radius: .5rem;
  text-decoration: none }
nav a strong { display: block }
nav a span { color: CanvasText; opacity: .8; font-size: .95rem }
pre { padding: 1rem; overflow-x: auto; background: #8882; border-radius: .5rem }
table { width: 100%; border-collapse: collapse }
th, td { padding: .4rem .5rem .4rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #8884; overflow-wrap: anywhere }
`

const styleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`
const policy = policyWith({
  'default-src': ["'none'"],
  'script-src': ["'none'"],
  'script-src-attr': ["'none'"],
  'style-src': [styleHash],
  'img-src': ['data:'],
  'font-src': ["'none'"],
  'object-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
})

export interface PlainPage {
  title: string
  /** Shown above the title. */
  shopName?: string
  /** HTML of the page below its title: escape every value in it with `escapeHtml`. */
  body: string
}

/**
 * Sends a page without a script under a policy that allows none. It sets no Cache-Control: a page
 * that may be cached says so before.
 */
export function sendPlainPage(reply: FastifyReply, { title, shopName, body }: PlainPage) {
  const shop = shopName === undefined ? '' : `<p class="shop">${escapeHtml(shopName)}</p>\n`
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', policy)
    .send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
${shop}<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`)
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as HTML, for contents of elements and for quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] ?? character)
}

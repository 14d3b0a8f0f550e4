// The web page that shows caught mails: plain HTML without scripts, as good on a phone.
import type { CaughtMail, MailSummary } from './mailFiles.ts'

/** Nothing may be fetched or run from inside a mail; its styles and embedded images may show. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 60rem; margin: 0 auto; padding: 1rem }
  h1 { font-size: 1.3rem; overflow-wrap: anywhere }
  ol { list-style: none; padding: 0 }
  li { border-top: 1px solid #8886 }
  li a { display: block; padding: .6rem 0; color: inherit; text-decoration: none }
  strong, small, dd { overflow-wrap: anywhere }
  small { display: block; opacity: .75 }
  dl { display: grid; grid-template-columns: auto 1fr; gap: 0 1rem }
  dt { opacity: .75 } dd { margin: 0 }
  pre { white-space: pre-wrap; overflow-wrap: anywhere }
  pre { border-top: 1px solid #8886; padding: 1rem 0 }
  iframe { width: 100%; height: 70vh; border: 1px solid #8886; background: #fff }`

/** The list, newest first, which looks for new mails every five seconds. */
export function listPage(mails: readonly MailSummary[], olderThan: string | undefined): string {
  const items = mails.map(
    mail => `<li><a href="/view/${mail.id}"><strong>${titleOf(mail)}</strong>
      <small>${escapeHtml(mail.to)} · ${shortTime(mail.receivedAt)}</small></a></li>`,
  )
  const empty = '<p>No mail yet. This page looks again every five seconds.</p>'
  const more = olderThan ? `<p><a href="/?before=${olderThan}">Older mails</a></p>` : ''
  const body = items.length > 0 ? `<ol>${items.join('\n')}</ol>${more}` : empty
  return page(
    'Caught mails',
    `<h1>Caught mails</h1>${body}`,
    '<meta http-equiv="refresh" content="5">',
  )
}

/** One mail: its header, its text, and its HTML in a frame that can run nothing. */
export function mailPage(mail: CaughtMail): string {
  const files = mail.attachments.map(({ name, type, bytes }) => `${name} (${type}, ${bytes} bytes)`)
  const rows = [
    ['From', mail.from],
    ['To', mail.to],
    ['Received', shortTime(mail.receivedAt)],
    ...files.map(file => ['Attached', file]),
  ]
  const header = rows.map(
    ([name = '', value = '']) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`,
  )
  // Links open in a tab of their own; scripts, forms and the page around it stay out of reach.
  const rights = 'allow-popups allow-popups-to-escape-sandbox'
  const inside = mail.html ? escapeHtml(`<base target="_blank">${mail.html}`) : ''
  const frame = `<iframe sandbox="${rights}" title="The mail as HTML" srcdoc="${inside}"></iframe>`
  const html = inside === '' ? '' : frame
  const body = `<p><a href="/">All mails</a> · <a href="/mails/${mail.id}.eml">Source</a></p>
    <h1>${titleOf(mail)}</h1>
    <dl>${header.join('')}</dl>${html}<pre>${escapeHtml(mail.text)}</pre>`
  return page(mail.subject, body)
}

/** Any text made safe inside HTML, in attribute values too. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"']/g, character => entities[character] ?? '&#39;')
}

function titleOf(mail: MailSummary): string {
  return escapeHtml(mail.subject) || '(no subject)'
}

function page(title: string, body: string, head = ''): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">${head}
<style>${style}</style></head><body>${body}</body></html>`
}

function shortTime(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`
}

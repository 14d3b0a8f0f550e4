// Mails about orders as text and HTML. What customers have typed is escaped before it becomes HTML.
import type { Mail } from '../../../ports/mail.ts'
import { amountText, factsOf, type OrderAtEvent, oneLine } from './orderFacts.ts'
import type { MailTemplate } from './outbox.ts'
import { type Language, wordsOf } from './words.ts'

export interface OrderMail extends OrderAtEvent {
  id: string
  template: MailTemplate
  to: string
  /** Undefined for an unconfirmed address: a name may be any text. */
  name: string | undefined
  shopName: string
  language: Language
  /** The time zone of times in the text. */
  timeZone: string
  /** The URL of the order for the customer. */
  link: string
}

/** Writes a mail about an order. */
export function compose(letter: OrderMail): Mail {
  const { id, template, to, name, shopName, order, language, link } = letter
  const words = wordsOf[language]
  const { subject, sentence } = words.templates[template]
  const facts = factsOf(letter, {
    ...{ words, language, timeZone: letter.timeZone },
    withFreeText: name !== undefined,
  })
  const lines = [
    ...order.lines.map(
      line => `${line.quantity} × ${line.name}: ${amountText(line.total, language)}`,
    ),
    ...order.charges.map(charge => `${charge.name}: ${amountText(charge.amount, language)}`),
  ]
  const total = `${words.total}: ${amountText(order.total, language)}`
  const greeting = name === undefined ? `${words.greeting},` : `${words.greeting} ${name},`
  const about = `${words.order} ${order.orderNumber}`
  const factLines = facts.length === 0 ? [] : [...facts, '']
  const items = (texts: readonly string[]) => texts.map(text => `<li>${escapeHtml(text)}</li>`)
  return {
    id,
    to: oneLine(to),
    subject: oneLine(`${subject}: ${words.orderInSentence} ${order.orderNumber}`),
    text: [
      ...[greeting, '', sentence, '', ...factLines, about, ...lines, total, ''],
      ...[`${words.link}: ${link}`, '', shopName],
    ].join('\n'),
    html: [
      `<p>${escapeHtml(greeting)}</p>`,
      `<p>${escapeHtml(sentence)}</p>`,
      ...(facts.length === 0 ? [] : [`<ul>${items(facts).join('')}</ul>`]),
      `<h2>${escapeHtml(about)}</h2>`,
      `<ul>${items(lines).join('')}</ul>`,
      `<p><strong>${escapeHtml(total)}</strong></p>`,
      `<p><a href="${escapeHtml(link)}">${escapeHtml(words.link)}</a></p>`,
      `<p>${escapeHtml(shopName)}</p>`,
    ].join('\n'),
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A text as HTML shows it. */
export function escapeHtml(text: string) {
  return text.replace(/[&<>"']/g, character => entities[character] ?? character)
}

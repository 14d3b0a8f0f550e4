// The words of each mail. What customers have typed is escaped before it becomes HTML.
import { formatMoney } from '../../domain/money.ts'
import type { PlacedOrder } from '../../domain/order.ts'
import type { Mail } from './mail.ts'
import type { MailTemplate } from './outbox.ts'

export interface Letter {
  id: string
  template: MailTemplate
  to: string
  name: string
  shopName: string
  order: PlacedOrder
}

const openings: Record<MailTemplate, { subject: string; sentence: string }> = {
  'order-placed': { subject: 'We have your order', sentence: 'Thank you: we have your order.' },
  'order-paid': { subject: 'Payment received', sentence: 'Thank you: your payment has arrived.' },
  'order-shipped': { subject: 'On its way', sentence: 'Your order is on its way to you.' },
  'order-delivered': { subject: 'Delivered', sentence: 'Your order has been delivered.' },
  'order-cancelled': { subject: 'Cancelled', sentence: 'Your order has been cancelled.' },
  'order-expired': {
    subject: 'Not paid in time',
    sentence: 'Your order was not paid in time, so it has ended. You are welcome to order again.',
  },
  'order-refunded': { subject: 'Refund', sentence: 'We have paid money back to you.' },
}

/** Writes a letter about an order. */
export function compose({ id, template, to, name, shopName, order }: Letter): Mail {
  const { subject, sentence } = openings[template]
  const lines = order.lines.map(
    line => `${line.quantity} × ${line.name}: ${formatMoney(line.total)}`,
  )
  const total = `Total: ${formatMoney(order.total)}`
  const greeting = `Hello ${name},`
  const about = `Order ${order.orderNumber}`
  return {
    id,
    to: oneLine(to),
    subject: oneLine(`${subject}: order ${order.orderNumber}`),
    text: [greeting, '', sentence, '', about, ...lines, total, '', shopName].join('\n'),
    html: [
      `<p>${escapeHtml(greeting)}</p>`,
      `<p>${escapeHtml(sentence)}</p>`,
      `<h2>${escapeHtml(about)}</h2>`,
      `<ul>${lines.map(line => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`,
      `<p><strong>${escapeHtml(total)}</strong></p>`,
      `<p>${escapeHtml(shopName)}</p>`,
    ].join('\n'),
  }
}

/** A line break in a header would let its writer add headers of their own. */
export function oneLine(text: string) {
  return text.replace(/[\r\n]+/g, ' ')
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

// The words of mails about orders, by language.
import type { MailTemplate } from './outbox.ts'

export type Language = 'en' | 'de'

export interface Words {
  templates: Record<MailTemplate, { subject: string; sentence: string }>
  greeting: string
  order: string
  /** The word for an order within a sentence. */
  orderInSentence: string
  total: string
  paid: string
  payBy: string
  tracking: string
  deliveredTo: string
  reason: string
  refundDue: string
  refundedNow: string
  refundedInAll: string
  remaining: string
  /** The text of the link to the order. */
  link: string
}

const en: Words = {
  templates: {
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
  },
  greeting: 'Hello',
  order: 'Order',
  orderInSentence: 'order',
  total: 'Order total',
  paid: 'Paid',
  payBy: 'Please pay by',
  tracking: 'Tracking number',
  deliveredTo: 'Delivery to',
  reason: 'Reason',
  refundDue: 'We will pay back',
  refundedNow: 'Refunded now',
  refundedInAll: 'Refunded in all',
  remaining: 'Paid and not refunded',
  link: 'Your order',
}

const de: Words = {
  templates: {
    'order-placed': {
      subject: 'Wir haben Ihre Bestellung erhalten',
      sentence: 'Vielen Dank: Wir haben Ihre Bestellung erhalten.',
    },
    'order-paid': {
      subject: 'Zahlung eingegangen',
      sentence: 'Vielen Dank: Ihre Zahlung ist eingegangen.',
    },
    'order-shipped': { subject: 'Unterwegs', sentence: 'Ihre Bestellung ist unterwegs zu Ihnen.' },
    'order-delivered': { subject: 'Zugestellt', sentence: 'Ihre Bestellung wurde zugestellt.' },
    'order-cancelled': { subject: 'Storniert', sentence: 'Ihre Bestellung wurde storniert.' },
    'order-expired': {
      subject: 'Nicht rechtzeitig bezahlt',
      sentence:
        'Ihre Bestellung wurde nicht rechtzeitig bezahlt und ist beendet. ' +
        'Sie können gern neu bestellen.',
    },
    'order-refunded': { subject: 'Erstattung', sentence: 'Wir haben Ihnen Geld erstattet.' },
  },
  greeting: 'Guten Tag',
  order: 'Bestellung',
  orderInSentence: 'Bestellung',
  total: 'Bestellsumme',
  paid: 'Bezahlt',
  payBy: 'Bitte zahlen Sie bis',
  tracking: 'Sendungsnummer',
  deliveredTo: 'Lieferung an',
  reason: 'Grund',
  refundDue: 'Wir erstatten',
  refundedNow: 'Jetzt erstattet',
  refundedInAll: 'Insgesamt erstattet',
  remaining: 'Bezahlt und nicht erstattet',
  link: 'Ihre Bestellung',
}

export const wordsOf: Record<Language, Words> = { en, de }

const german = new Set(['de', 'at', 'li', 'germany', 'deutschland', 'austria', 'österreich'])
const english = new Set(['gb', 'uk', 'ie', 'us', 'au', 'nz', 'united kingdom', 'ireland'])

/** The language of a country; the shop's language for other or unknown countries. */
export function languageOf(country: string | null | undefined, ownLanguage: Language): Language {
  const name = (country ?? '').trim().toLowerCase()
  if (german.has(name)) return 'de'
  return english.has(name) ? 'en' : ownLanguage
}

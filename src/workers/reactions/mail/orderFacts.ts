// The facts in a mail about an order: amounts, dates and numbers of its event.
import { formatMoney } from '../../../domain/kernel/money.ts'
import type { Money } from '../../../domain/kernel/types.ts'
import type { OrderEvent, PlacedOrder } from '../../../domain/order/order.ts'
import type { Language, Words } from './words.ts'

/** An order as it was right after the event. */
export interface OrderAtEvent {
  order: PlacedOrder
  event: OrderEvent
}

export interface FactOptions {
  words: Words
  language: Language
  timeZone: string
  /** Free text is sent to confirmed addresses only: a stranger may have written it. */
  withFreeText: boolean
}

/** One line for each fact. */
export function factsOf({ order, event }: OrderAtEvent, options: FactOptions): string[] {
  const { words, language, withFreeText } = options
  const amount = (money: Money) => amountText(money, language)
  const minor = (value: number) => amount({ amount: value, currency: order.total.currency })
  const reason = (text: string) => (withFreeText ? [`${words.reason}: ${oneLine(text)}`] : [])
  const address = withFreeText && order.delivery ? oneLine(order.delivery.shippingAddress) : null
  const delivery = address === null ? [] : [`${words.deliveredTo}: ${address}`]
  switch (event.type) {
    case 'OrderPlaced': {
      const { expiresAt } = order
      const deadline =
        expiresAt === null ? [] : [`${words.payBy}: ${momentText(expiresAt, options)}`]
      return [...deadline, ...delivery]
    }
    case 'OrderPaid':
      return [`${words.paid}: ${amount(event.data.amount)}`, ...delivery]
    case 'OrderShipped': {
      const { tracking } = event.data
      return [
        ...(tracking === null ? [] : [`${words.tracking}: ${oneLine(tracking)}`]),
        ...delivery,
      ]
    }
    case 'OrderCancelled': {
      const { reason: why, refund } = event.data
      return [...reason(why), ...(refund ? [`${words.refundDue}: ${amount(refund)}`] : [])]
    }
    case 'OrderRefunded':
      return [
        `${words.refundedNow}: ${amount(event.data.amount)}`,
        ...reason(event.data.reason),
        `${words.refundedInAll}: ${minor(order.refunded)}`,
        `${words.remaining}: ${minor(order.captured - order.refunded)}`,
      ]
    default:
      return delivery
  }
}

/** An amount as it is written in a language: `12.50 GBP`, `12,50 EUR`. */
export function amountText(money: Money, language: Language): string {
  const text = formatMoney(money)
  return language === 'de' ? text.replace('.', ',') : text
}

/** A formatter takes 100 times as long to make as to use. */
const momentFormats = new Map<string, Intl.DateTimeFormat>()

/** With the name of the time zone: the customer may be in another one. */
function momentText(at: number, { language, timeZone }: FactOptions): string {
  const key = `${language} ${timeZone}`
  let format = momentFormats.get(key)
  if (format === undefined) {
    const locale = language === 'de' ? 'de-DE' : 'en-GB'
    format = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', timeZone })
    momentFormats.set(key, format)
  }
  return `${format.format(at)} ${timeZone}`
}

/** A line break in a header would let its writer add headers of their own. */
export function oneLine(text: string) {
  return text.replace(/[\r\n]+/g, ' ')
}

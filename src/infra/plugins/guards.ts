// Holds the payment and mail providers of plugins to their ports: deadlines, errors, answers.
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { withDeadline } from '../../kit/deadline.ts'
import { codeOf } from '../../kit/errorCode.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import type { Mailer } from '../../ports/mail.ts'
import type { PaymentProvider } from '../../ports/payments.ts'
import type { MailProvider } from '../../ports/plugins.ts'

const paymentDeadlineMs = 30_000
const mailDeadlineMs = 60_000

const Text = Type.String({ minLength: 1, maxLength: 200 })
const chargeChecker = Compile(
  Type.Union([
    Type.Object({ status: Type.Literal('captured'), reference: Text }),
    Type.Object({ status: Type.Literal('declined'), reason: Text }),
    Type.Object({
      status: Type.Literal('requires_action'),
      nextAction: Type.Object({ type: Text }),
    }),
    Type.Object({ status: Type.Literal('processing') }),
  ]),
)
const refundChecker = Compile(
  Type.Union([
    Type.Object({ status: Type.Literal('refunded') }),
    Type.Object({ status: Type.Literal('failed'), reason: Text }),
  ]),
)
const sendChecker = Compile(
  Type.Union([
    Type.Object({ accepted: Type.Literal(true) }),
    Type.Object({
      accepted: Type.Literal(false),
      kind: Type.Enum(['server', 'refused', 'later', 'lost']),
      code: Text,
    }),
  ]),
)

/** Errors, late answers and invalid ones become Unavailable: the outcome is unknown, ask again. */
export function guardedPayments(provider: PaymentProvider): PaymentProvider {
  async function guard<T>(
    what: string,
    call: () => Promise<T>,
    checker?: { Check(value: unknown): boolean },
  ): Promise<T> {
    const name = `payment provider ${provider.name}: ${what}`
    const answer = await withDeadline(paymentDeadlineMs, name, call()).catch((cause: unknown) => {
      throw new Unavailable(`${name} failed`, { cause })
    })
    if (checker?.Check(answer) === false) throw new Unavailable(`${name} answered what is invalid`)
    return answer
  }
  return {
    name: provider.name,
    signatureHeader: provider.signatureHeader,
    charge: charge => guard('charge', async () => provider.charge(charge), chargeChecker),
    cancel: charge => guard('cancel', async () => provider.cancel(charge), chargeChecker),
    refund: refund => guard('refund', async () => provider.refund(refund), refundChecker),
    readCallback: (body, signature, now) =>
      guard('readCallback', async () => provider.readCallback(body, signature, now)),
    list: (from, to) => guard('list', async () => provider.list(from, to)),
  }
}

/** A mailer over the provider of a plugin; an error or an invalid answer is a lost mail. */
export function pluginMailer(provider: MailProvider): Mailer {
  return {
    async send(mail, beginWithinMs) {
      if (beginWithinMs <= 0) return { accepted: false, kind: 'later', code: 'ELATE' }
      try {
        const sending = (async () => provider.send(mail))()
        const result = await withDeadline(mailDeadlineMs, 'the mail provider', sending)
        if (sendChecker.Check(result)) return result
        return { accepted: false, kind: 'lost', code: 'EANSWER' }
      } catch (error) {
        return { accepted: false, kind: 'lost', code: codeOf(error) }
      }
    },
    close: async () => undefined,
  }
}

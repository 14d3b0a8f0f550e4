// What an error of the SMTP client means for the mail, and for the mails after it.
import { codeOf } from '../../kit/errorCode.ts'
import type { FailureKind, SendResult } from '../../ports/mail.ts'

/**
 * Classifies an error of nodemailer. `hasBegun` says whether any of the mail's text was sent: a
 * connection that is lost before that says nothing about the mail.
 */
export function smtpFailure(error: unknown, hasBegun: boolean): SendResult & { accepted: false } {
  const code = smtpCode(error)
  return { accepted: false, kind: kindOf(error, hasBegun), code }
}

function kindOf(error: unknown, hasBegun: boolean): FailureKind {
  const status = numberOf(error, 'responseCode')
  const isOfMail = /^(RCPT TO|DATA)/.test(textOf(error, 'command'))
  if (status !== undefined && isOfMail) {
    if (status === 421) return 'lost'
    return status >= 500 ? 'refused' : 'later'
  }
  const code = textOf(error, 'code')
  // Found by the client itself: an address that this server cannot take, or a mail that is too big.
  const isOwnCheck = code === 'EENVELOPE' || code === 'EMESSAGE'
  if (status === undefined && isOwnCheck) return 'refused'
  return hasBegun || code === 'ESTREAM' ? 'lost' : 'server'
}

/** `SMTP 550 5.1.1`, or the code of the client: never the text of the server. */
function smtpCode(error: unknown): string {
  const status = numberOf(error, 'responseCode')
  if (status === undefined) return codeOf(error)
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(textOf(error, 'response'))?.[1]
  return enhanced === undefined ? `SMTP ${status}` : `SMTP ${status} ${enhanced}`
}

function textOf(error: unknown, field: string): string {
  const value: unknown = error instanceof Error ? Reflect.get(error, field) : undefined
  return typeof value === 'string' ? value : ''
}

function numberOf(error: unknown, field: string): number | undefined {
  const value: unknown = error instanceof Error ? Reflect.get(error, field) : undefined
  return typeof value === 'number' ? value : undefined
}

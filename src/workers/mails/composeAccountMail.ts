// The words of the mails about accounts.
import { escapeHtml } from './compose.ts'
import type { Mail } from './mail.ts'
import { oneLine } from './orderFacts.ts'

export interface Addressee {
  /** Of the mail. */
  id: string
  to: string
  name: string
  shopName: string
}

export interface ResetLink {
  /** The page that sets a new password. */
  page: string
  uid: string
  token: string
}

/** A mail with the link that sets a new password. */
export function composeReset(to: Addressee, { page, uid, token }: ResetLink): Mail {
  // Behind the #: browsers keep that part to themselves, so it is in no log and no Referer.
  const link = `${page}#${new URLSearchParams({ uid, token })}`
  const subject = 'Set a new password'
  return letter(to, subject, [
    'somebody, probably you, has asked for a new password. Set it within ten minutes here:',
    link,
    'If it was not you, there is nothing to do: your password stays as it is.',
  ])
}

/** A mail that tells that the password is another one now. */
export function composeChanged(to: Addressee): Mail {
  return letter(to, 'Your password was changed', [
    'your password was changed, and you have been signed out elsewhere.',
    'If it was not you, set a new password at once and tell us.',
  ])
}

/** A mail to the address that an account had, once it has another. */
export function composeMoved(to: Addressee): Mail {
  return letter(to, 'Your address was changed', [
    'your account has another email address now: from now on we write to that one.',
    'If it was not you, tell us at once: whoever has the new address can set a new password.',
  ])
}

function letter({ id, to, name, shopName }: Addressee, subject: string, said: string[]): Mail {
  const parts = [`Hello ${name},`, ...said, shopName]
  return {
    id,
    to: oneLine(to),
    subject: oneLine(`${subject}: ${shopName}`),
    text: parts.join('\n\n'),
    html: parts.map(part => `<p>${escapeHtml(part)}</p>`).join('\n'),
  }
}

// Mails about accounts as text and HTML.
import type { AccountMailTemplate } from '../../../ports/accounts.ts'
import type { Mail } from '../../../ports/mail.ts'
import { accountWords } from './accountWords.ts'
import { escapeHtml } from './compose.ts'
import { oneLine } from './orderFacts.ts'
import { type Language, wordsOf } from './words.ts'

export interface AccountLetter {
  /** Of the mail. */
  id: string
  template: AccountMailTemplate
  to: string
  /** Undefined where the address is not known to be theirs: a name may be any text. */
  name: string | undefined
  shopName: string
  language: Language
  /** The page that the mail leads to, and what it has to know. */
  link?: { page: string; values: Readonly<Record<string, string>> }
}

/** Writes a mail about an account. */
export function composeAccountMail(letter: AccountLetter): Mail {
  const { id, template, to, name, shopName, language, link } = letter
  const { subject, said } = accountWords[language][template]
  const [first = '', ...rest] = said
  const { greeting } = wordsOf[language]
  const parts = [
    name === undefined ? `${greeting},` : `${greeting} ${name},`,
    first,
    // Behind the #: browsers keep that part to themselves, so it is in no log and no Referer.
    ...(link === undefined ? [] : [`${link.page}#${new URLSearchParams(link.values)}`]),
    ...rest,
    shopName,
  ]
  return {
    id,
    to: oneLine(to),
    subject: oneLine(`${subject}: ${shopName}`),
    text: parts.join('\n\n'),
    html: parts.map(part => `<p>${escapeHtml(part)}</p>`).join('\n'),
  }
}

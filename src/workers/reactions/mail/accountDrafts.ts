// Mails about accounts: to whom they go, and what they are written from.

import { addressesAround } from '../../../commands/account/profile.ts'
import type { App } from '../../../commands/core/app.ts'
import type { AccountMailTemplate, AccountServices, MailSubject } from '../../../ports/accounts.ts'
import type { Codec } from '../../../ports/codec.ts'
import type { EventStore } from '../../../ports/eventStore.ts'
import { type AccountLetter, composeAccountMail } from './composeAccountMail.ts'
import type { Draft, DraftFor, Finished } from './draft.ts'
import { isOrderTemplate } from './outbox.ts'
import { type Language, languageOf } from './words.ts'

export interface AccountDraftParts {
  app: App
  eventStore: EventStore
  codec: Codec
  accounts: AccountServices
  shopName: string
  /** Where the customer's is not known. */
  language: Language
  /** The link to set a new password points here, whatever host a request has named. */
  resetPage: string
  /** So does the link to confirm an address. */
  confirmPage: string
}

/** Drafts of mails about accounts. Throws Unavailable. */
export function accountDrafts(parts: AccountDraftParts): DraftFor {
  const { app, accounts, shopName } = parts
  return async ({ event_id, template }) => {
    if (isOrderTemplate(template)) return undefined
    const subject = await accounts.recovery.subjectOf(event_id, template)
    if (subject === undefined) return undefined
    const { customerId } = subject
    const { state } = await app.customers.load(customerId)
    if (state.status !== 'registered' || state.disabled) return undefined
    const { email, firstName, country } = state.profile
    const to = await addressFor(parts, { ...subject, template, email })
    if (to?.includes('@') !== true) return undefined
    const isConfirmed = await accounts.addresses.isConfirmed(customerId, to)
    const letter: AccountLetter = {
      ...{ id: event_id, template, to, shopName },
      name: isConfirmed ? (firstName ?? state.username) : undefined,
      language: languageOf(country, parts.language),
    }
    const draft: Draft = {
      recipient: accounts.accounts.digestOf(to),
      isConfirmed,
      finish: () => finish(parts, subject, letter),
    }
    return draft
  }
}

interface Addressing extends MailSubject {
  template: AccountMailTemplate
  /** Of the profile. */
  email: string | undefined
}

/** To which address a mail goes; undefined where there is nothing to say any more. */
async function addressFor(
  parts: AccountDraftParts,
  { customerId, revision, template, email }: Addressing,
): Promise<string | undefined> {
  if (template === 'email-changed') {
    const { before, after } = await addressesAround(parts, customerId, revision ?? 0)
    return before === after ? undefined : before
  }
  if (template !== 'email-confirm' && template !== 'email-requested') return email
  const address = await parts.accounts.addresses.stateOf(customerId)
  if (address === undefined || address.moves) return undefined
  if (template === 'email-requested') return address.wanted && email
  return address.wanted ?? (address.isConfirmed ? undefined : email)
}

async function finish(
  { app, accounts: { recovery, addresses }, resetPage, confirmPage }: AccountDraftParts,
  { customerId: uid }: MailSubject,
  letter: AccountLetter,
): Promise<Finished | undefined> {
  const { template, to } = letter
  // Tokens are made now, so that they lie nowhere while the mail waits.
  if (template === 'password-reset') {
    const { state } = await app.customers.load(uid)
    if (state.status !== 'registered') return undefined
    const token = await recovery.issue(uid, state.passwordNumber ?? 0)
    if (token === undefined) return undefined
    const link = { page: resetPage, values: { uid, token } }
    const mail = composeAccountMail({ ...letter, link })
    return { mail, undo: () => recovery.withdraw(token) }
  }
  if (template === 'email-confirm') {
    const token = await addresses.issue(uid, to)
    if (token === undefined) return undefined
    const mail = composeAccountMail({ ...letter, link: { page: confirmPage, values: { token } } })
    return { mail, undo: () => addresses.withdraw(token) }
  }
  return { mail: composeAccountMail(letter) }
}

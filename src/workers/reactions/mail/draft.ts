// A due mail before it is sent: its recipient, and how to compose it.
import type { Mail } from '../../../ports/mail.ts'
import type { MailKey } from './queue.ts'

export interface Finished {
  mail: Mail
  /** Undoes what was created for a mail that was not sent, such as a token. */
  undo?: () => Promise<void>
}

export interface Draft {
  /** The digest of the address. */
  recipient: string
  /** Whether its owner has confirmed the address. */
  isConfirmed: boolean
  /** Composes the mail; undefined if it is obsolete. */
  finish(): Promise<Finished | undefined>
}

/** Looks up the recipient of a mail; undefined if there is none. */
export type DraftFor = (key: MailKey) => Promise<Draft | undefined>

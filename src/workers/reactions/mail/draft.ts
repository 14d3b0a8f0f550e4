// A mail that is due, before it is sent: to whom it goes, and how it is written.
import type { Mail } from '../../../ports/mail.ts'
import type { MailKey } from './queue.ts'

export interface Finished {
  mail: Mail
  /** Takes back what was made for a mail that was not sent, such as a token. */
  undo?: () => Promise<void>
}

export interface Draft {
  /** The digest of the address. */
  recipient: string
  /** Whether its owner has confirmed the address. */
  isConfirmed: boolean
  /** Undefined where there is nothing to say any more. */
  finish(): Promise<Finished | undefined>
}

/** Looks up whom a mail goes to; undefined where there is nobody to write to. */
export type DraftFor = (key: MailKey) => Promise<Draft | undefined>

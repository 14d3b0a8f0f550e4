// What admins can do with mails in the queue.
/** What became of a wish for a mail: a mail that is sent stays sent. */

export type MailVerdict = 'changed' | 'sent' | 'not-found'

/** The queue of mails, as admins use it. Each throws Unavailable. */
export interface MailBox {
  /** Makes a mail due now, as if it had never been tried. */
  retry(mailId: string): Promise<MailVerdict>
  /** Gives a mail up. */
  drop(mailId: string): Promise<MailVerdict>
}

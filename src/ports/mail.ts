// Mails and the mailer that sends them.

export interface Mail {
  /** The same for the same event and template, so that mail programs can tell a repetition. */
  id: string
  to: string
  subject: string
  text: string
  html: string
}

/**
 * Why a mail was not accepted. `server`: the server accepts no mail at all (no connection, no
 * login, sender refused). `refused`: this mail was rejected permanently (5xx). `later`: it may be
 * retried (4xx). `lost`: the connection was lost while this mail was being sent.
 */
export type FailureKind = 'server' | 'refused' | 'later' | 'lost'

/** `code` is a code of the client or a status of SMTP: the server's text may quote the address. */
export type SendResult = { accepted: true } | { accepted: false; kind: FailureKind; code: string }

export interface Mailer {
  /**
   * Hands a mail to the server. Its text is not sent unless that can begin within `beginWithinMs`:
   * after a longer pause another worker may have sent it. Never throws.
   */
  send(mail: Mail, beginWithinMs: number): Promise<SendResult>
  close(): Promise<void>
}

// What a mail is, and who sends it.

export interface Mail {
  /** The same for the same event and template, so that mail programs can tell a repetition. */
  id: string
  to: string
  subject: string
  text: string
  html: string
}

export interface Mailer {
  /** Resolves once the server has accepted the mail. Throws when it has not. */
  send(mail: Mail): Promise<void>
  close(): Promise<void>
}

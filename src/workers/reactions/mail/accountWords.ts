// The words of mails about accounts, by language.
import type { AccountMailTemplate } from '../../../ports/accounts.ts'
import type { Language } from './words.ts'

export interface AccountWords {
  subject: string
  /** Paragraphs; the link, where there is one, comes after the first. */
  said: readonly string[]
}

const en: Record<AccountMailTemplate, AccountWords> = {
  'password-reset': {
    subject: 'Set a new password',
    said: [
      'somebody, probably you, has asked for a new password. Set it within ten minutes here:',
      'If it was not you, there is nothing to do: your password stays as it is.',
    ],
  },
  'password-changed': {
    subject: 'Your password was changed',
    said: [
      'your password was changed, and you have been signed out elsewhere.',
      'If it was not you, set a new password at once and tell us.',
    ],
  },
  'email-confirm': {
    subject: 'Confirm your address',
    said: [
      'somebody, probably you, has entered this email address. Confirm within a day that it is ' +
        'yours:',
      'If it was not you, there is nothing to do: without you it is not confirmed.',
    ],
  },
  'email-requested': {
    subject: 'Your address is to be changed',
    said: [
      'somebody who knows your password, probably you, wants another email address for your ' +
        'account. Nothing changes before the new address is confirmed.',
      'If it was not you, set a new password at once: that stops the change, too.',
    ],
  },
  'email-changed': {
    subject: 'Your address was changed',
    said: [
      'your account has another email address now: from now on we write to that one.',
      'If it was not you, tell us at once: whoever has the new address can set a new password.',
    ],
  },
}

const de: Record<AccountMailTemplate, AccountWords> = {
  'password-reset': {
    subject: 'Neues Passwort festlegen',
    said: [
      'jemand, vermutlich Sie, hat ein neues Passwort angefordert. Legen Sie es innerhalb von ' +
        'zehn Minuten hier fest:',
      'Wenn Sie das nicht waren, müssen Sie nichts tun: Ihr Passwort bleibt, wie es ist.',
    ],
  },
  'password-changed': {
    subject: 'Ihr Passwort wurde geändert',
    said: [
      'Ihr Passwort wurde geändert, und Sie wurden überall sonst abgemeldet.',
      'Wenn Sie das nicht waren, legen Sie sofort ein neues Passwort fest und melden Sie sich ' +
        'bei uns.',
    ],
  },
  'email-confirm': {
    subject: 'Bestätigen Sie Ihre E-Mail-Adresse',
    said: [
      'jemand, vermutlich Sie, hat diese E-Mail-Adresse angegeben. Bestätigen Sie innerhalb ' +
        'eines Tages, dass es Ihre ist:',
      'Wenn Sie das nicht waren, müssen Sie nichts tun: Ohne Sie wird sie nicht bestätigt.',
    ],
  },
  'email-requested': {
    subject: 'Ihre E-Mail-Adresse soll geändert werden',
    said: [
      'jemand, der Ihr Passwort kennt, vermutlich Sie, möchte eine andere E-Mail-Adresse für ' +
        'Ihr Konto. Nichts ändert sich, bevor die neue Adresse bestätigt ist.',
      'Wenn Sie das nicht waren, legen Sie sofort ein neues Passwort fest: Das beendet auch die ' +
        'Änderung.',
    ],
  },
  'email-changed': {
    subject: 'Ihre E-Mail-Adresse wurde geändert',
    said: [
      'Ihr Konto hat jetzt eine andere E-Mail-Adresse: Ab jetzt schreiben wir an diese.',
      'Wenn Sie das nicht waren, melden Sie sich sofort bei uns: Wer die neue Adresse hat, kann ' +
        'ein neues Passwort festlegen.',
    ],
  },
}

export const accountWords: Record<Language, Record<AccountMailTemplate, AccountWords>> = { en, de }

// Messages as mail servers take them: what is in them comes out, and nothing else does.
import PostalMime from 'postal-mime'
import { describe, expect, it } from 'vitest'
import { isPlain, messageText, senderOf } from '../../src/infra/mimeMessage.ts'

const message = (changes: { subject?: string; text?: string; html?: string; name?: string } = {}) =>
  messageText({
    from: { name: changes.name ?? 'Shop', address: 'shop@example.com' },
    messageId: 'e-1.order-paid@example.com',
    at: new Date('2026-11-21T10:00:00Z'),
    mail: {
      id: 'e-1.order-paid',
      to: 'ann@example.com',
      subject: changes.subject ?? 'Payment received',
      text: changes.text ?? 'Thank you',
      html: changes.html ?? '<p>Thank you</p>',
    },
  })

describe('a message', () => {
  it('comes out as it went in', async () => {
    const long = 'Zoë 李 🏮 '.repeat(40).trim()
    const mail = await PostalMime.parse(
      message({ subject: long, text: `${long}\n\n--_e`, html: `<p>${long}</p>`, name: 'Größe' }),
    )
    expect(mail).toMatchObject({
      from: { name: 'Größe', address: 'shop@example.com' },
      to: [{ address: 'ann@example.com' }],
      subject: long,
      messageId: '<e-1.order-paid@example.com>',
      date: '2026-11-21T10:00:00.000Z',
      html: `<p>${long}</p>`,
    })
    expect(mail.text?.replaceAll('\r\n', '\n').trim()).toBe(`${long}\n\n--_e`)
  })

  it('has lines that every server takes, of ASCII alone', () => {
    const text = message({ subject: 'é'.repeat(300), text: 'é'.repeat(5_000) })
    const lines = text.split('\r\n')
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(78)
    expect(text).toMatch(/^[\x20-\x7e\r\n]*$/)
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  })

  it.each(['a\r\nBcc: victim@example.com', 'a\nX: y', '=?utf-8?B?QmNjOg==?=', '\u0000\u202e'])(
    'has no other header because of the subject %j',
    async subject => {
      const text = message({ subject })
      const head = text.split('\r\n\r\n')[0] ?? ''
      expect(head).not.toMatch(/^(Bcc|X):/m)
      const mail = await PostalMime.parse(text)
      expect(mail.headers.map(({ key }) => key)).toHaveLength(7)
      expect(mail.subject).toContain(subject.slice(0, 1))
    },
  )
})

describe('an address', () => {
  it.each(['ann@example.com', "o'neil+shop@mail.example.co.uk", 'a@localhost'])('%s is plain', is =>
    expect(isPlain(is)).toBe(true),
  )

  it.each([
    'a@b, c@d',
    '<a@b>',
    'a b@c',
    'zoë@example.com',
    'a@bücher.example',
    'a@b\r\nX: y',
    '@b',
  ])('%j is left to the library', is => expect(isPlain(is)).toBe(false))

  it('of a sender may have a name', () => {
    expect(senderOf('Größe & Söhne <shop@example.com>')).toEqual({
      name: 'Größe & Söhne',
      address: 'shop@example.com',
    })
    expect(senderOf('"The Shop" <shop@example.com>')).toMatchObject({ name: 'The Shop' })
    expect(senderOf('shop@example.com')).toEqual({ name: '', address: 'shop@example.com' })
    expect(senderOf('a@example.com, b@example.com')).toBeUndefined()
    expect(senderOf('"A \\"quoted\\" one" <a@example.com>')).toBeUndefined()
  })
})

// The mail catcher: what it accepts is kept, can be read, and cannot harm who reads it.
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTransport } from 'nodemailer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MailCatcher, startMailCatcher } from '../../tools/local/mailCatcher.ts'
import { temporaryDirectory } from '../support/servers.ts'

const hostile = {
  from: 'Größe & Söhne <shop@example.com>',
  to: 'Ann <ann@example.com>',
  bcc: 'hidden@example.com',
  subject: 'Your <b>order</b> & "more"',
  text: 'Thank you </pre><script>alert(1)</script>\u001b[31m',
  html: '<h1 title="x">Thank you</h1><script>alert(1)</script>',
}

let directory: string
let catcher: MailCatcher

beforeEach(async () => {
  directory = await temporaryDirectory()
  catcher = await startMailCatcher({ directory })
})

afterEach(async () => {
  await catcher.stop()
  await rm(directory, { recursive: true, force: true })
})

const send = (mail: object) => {
  const transport = createTransport(catcher.smtpUrl)
  return transport.sendMail(mail).finally(() => transport.close())
}
const get = (path: string) => fetch(`${catcher.webUrl}${path}`)
const listed = async () => (await (await get('/mails')).json()) as { id: string; subject: string }[]
const newest = async () => (await listed())[0]?.id ?? ''
const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['tools/mails.ts', ...args], {
    env: { ...process.env, DATA_DIR: directory },
  })

describe('a mail that was accepted', () => {
  it('is a whole file, with its envelope, by the time its sender hears so', async () => {
    await send(hostile)
    const files = await readdir(join(directory, 'mails'))
    expect(files).toEqual([expect.stringMatching(/^\d{8}T\d{9}Z-[0-9a-f]{8}\.eml$/)])
    const text = await readFile(join(directory, 'mails', files[0] ?? ''), 'utf8')
    expect(text).toContain('Delivered-To: hidden@example.com\r\n')
    expect(text).toMatch(/Thank you/)
  })

  it('is refused when it cannot be kept, so that its sender tries again', async () => {
    await writeFile(join(directory, 'mails'), 'a file where the folder should be')
    await expect(send(hostile)).rejects.toMatchObject({ responseCode: 450 })
  })

  it('is listed newest first and told apart as JSON', async () => {
    await send({ ...hostile, subject: 'first' })
    await send({ ...hostile, subject: 'second' })
    expect((await listed()).map(mail => mail.subject)).toEqual(['second', 'first'])
    expect(await (await get(`/mails/${await newest()}`)).json()).toMatchObject({
      from: 'Größe & Söhne <shop@example.com>',
      to: 'Ann <ann@example.com>',
      subject: 'second',
      text: expect.stringContaining('Thank you'),
      html: expect.stringContaining('<h1'),
    })
  })

  it('is shown without letting it do anything', async () => {
    await send(hostile)
    const response = await get(`/view/${await newest()}`)
    const page = await response.text()
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page).toContain('Your &lt;b&gt;order&lt;/b&gt; &amp; &quot;more&quot;')
    expect(page).toContain('<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"')
    expect(page).toContain(
      'srcdoc="&lt;base target=&quot;_blank&quot;&gt;&lt;h1 title=&quot;x&quot;&gt;',
    )
    expect(page).not.toContain('<script>')
    expect(await (await get('/')).text()).not.toContain('<b>order')
  })

  it('can be read on the terminal, which it cannot steer', async () => {
    await send(hostile)
    expect((await run()).stdout).toContain('Your <b>order</b> & "more"')
    const { stdout } = await run('show', 'latest')
    expect(stdout).toContain('To:       Ann <ann@example.com>')
    expect(stdout).toContain('Thank you')
    expect(stdout).not.toContain('\u001b')
  })
})

describe('a request for anything else', () => {
  it.each(['/mails/nothing', '/view/..%2f..%2fetc%2fpasswd', '/mails/../../secret.key', '/other'])(
    'finds nothing at %s',
    async path => {
      await mkdir(join(directory, 'mails'), { recursive: true })
      await writeFile(join(directory, 'secret.key'), 'hunter2')
      expect((await get(path)).status).toBe(404)
    },
  )

  it('is refused when it comes in the name of another host', async () => {
    const url = new URL(catcher.webUrl)
    const status = await new Promise(resolve => {
      const headers = { host: 'rebound.example.com' }
      request(url, { headers }, response => resolve(response.statusCode)).end()
    })
    expect(status).toBe(403)
  })

  it('reads no other file than a mail', async () => {
    await mkdir(join(directory, 'mails'), { recursive: true })
    await writeFile(join(directory, 'outside.eml'), 'Subject: not a caught mail')
    await expect(run('show', '../outside')).rejects.toMatchObject({ code: 1, stdout: '' })
  })

  it('on the terminal ends with code 1 and one line', async () => {
    await expect(run('show', 'nothing')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^No mail nothing in .*\n$/),
    })
  })
})

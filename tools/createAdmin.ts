// npm run admin:create: makes the first admin, or another one, from the command line.
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { type AdminRequest, createAdmin } from '../src/commands/account/accounts.ts'
import { isRejection, type Rejection } from '../src/domain/kernel/rejection.ts'
import { main, Refusal, UsageError, withApp } from './withApp.ts'

const usage = `Usage: npm run admin:create -- --username NAME --email ADDRESS [options]

Makes an account with the role admin. An account that has this name and this address already gets
the role and keeps its password. The shop may be running or not.

  --username NAME   3 to 150 letters, digits or any of . _ @ + -
  --email ADDRESS   an email address
  --generate        makes up a password and shows it once
  --password TEXT   the password; others on this machine may see it while the command runs
  -h, --help        shows this

Without --generate and --password it asks for the password, or reads it from the first line of its
input when that is not a terminal. Exit codes: 0 done, 1 not done, 2 wrong usage.`

interface Request extends AdminRequest {
  generated?: string
}

await main(async () => {
  const request = readRequest()
  console.log(request === undefined ? usage : await run(request))
})

function readRequest(): Request | undefined {
  const { username, email, password, generate, help } = readArguments()
  if (help) return undefined
  if (!username || !email) throw new UsageError('--username and --email are needed')
  if (generate && password !== undefined) {
    throw new UsageError('--generate and --password exclude each other')
  }
  if (generate) {
    const generated = randomBytes(18).toString('base64url')
    return { username, email, generated, password: async () => generated }
  }
  return { username, email, password: async () => password ?? askPassword() }
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        username: { type: 'string' },
        email: { type: 'string' },
        password: { type: 'string' },
        generate: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    return values
  } catch {
    // What parseArgs says may repeat an argument, and that may be a password.
    throw new UsageError('these arguments were not understood')
  }
}

function run(request: Request): Promise<string> {
  return withApp('npm run admin:create', async ({ app, accounts }) => {
    const made = await createAdmin(app, accounts, request)
    if (isRejection(made)) throw new Refusal(sentence(made))
    return success(request, made)
  })
}

function success(request: Request, made: { customerId: string; created: boolean }): string {
  const what = made.created ? 'has been created as an admin' : 'is an admin now'
  const line = `${request.username} ${what} (customer ${made.customerId})`
  if (!made.created || request.generated === undefined) return line
  return `${line}\nPassword: ${request.generated} (it is not shown again)`
}

async function askPassword(): Promise<string> {
  if (!process.stdin.isTTY) return firstLine()
  const password = await askHidden('Password: ')
  if ((await askHidden('Once more: ')) === password) return password
  throw new Refusal('the passwords differ')
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line
  throw new Refusal('there was no password on standard input')
}

async function askHidden(question: string): Promise<string> {
  const stopped = new AbortController()
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  // Ctrl-C and Ctrl-D.
  terminal.once('SIGINT', () => stopped.abort())
  terminal.once('close', () => stopped.abort())
  process.stderr.write(question)
  try {
    return await terminal.question('', { signal: stopped.signal })
  } catch {
    throw new Refusal('no password was entered')
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

function sentence({ detail, extra }: Rejection): string {
  const faults = Array.isArray(extra?.errors) ? extra.errors : []
  const lines = faults.map(fault => `${String(fault.pointer).slice(1)}: ${fault.detail}`)
  return [detail, ...lines].join(' ')
}

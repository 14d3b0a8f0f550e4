// Reads .http files as editors do: named requests, variables, answers that later requests use.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface HttpRequest {
  /** What stands behind ###, or the request itself. */
  title: string
  name: string | undefined
  /** The status that @expect promises. */
  expects: number | undefined
  /** With variables that are not replaced yet. */
  method: string
  url: string
  headers: Record<string, string>
  body: string | undefined
}

export interface HttpFile {
  variables: Record<string, string>
  requests: HttpRequest[]
}

export interface HttpAnswer {
  body: unknown
  headers: Headers
}

/** The variables and requests of a file, in their order. */
export function parseHttpFile(text: string): HttpFile {
  const [head = '', ...blocks] = `\n${text}`.split(/\n###/)
  const variables = head.matchAll(/^@(\w+) *= *(.*)$/gm)
  return {
    variables: Object.fromEntries([...variables].map(([, name = '', value = '']) => [name, value])),
    requests: blocks.map(parseRequest),
  }
}

function parseRequest(block: string): HttpRequest {
  const [title = '', ...lines] = block.split('\n')
  const isNote = (line: string) => /^(#|\/\/)/.test(line)
  const notes = lines.filter(isNote).join('\n')
  const rest = lines
    .filter(line => !isNote(line))
    .join('\n')
    .trim()
  const [head = '', ...parts] = rest.split('\n\n')
  const [request = '', ...headers] = head.split('\n')
  const [, method, url] = /^([A-Z]+) (\S+)$/.exec(request) ?? []
  if (method === undefined || url === undefined) throw new Error(`no request in: ${block}`)
  const expects = /^# @expect (\d{3})$/m.exec(notes)?.[1]
  return {
    title: title.trim() || request,
    name: /^# @name (\w+)$/m.exec(notes)?.[1],
    expects: expects === undefined ? undefined : Number(expects),
    method,
    url,
    headers: Object.fromEntries(headers.map(parseHeader)),
    body: parts.length === 0 ? undefined : parts.join('\n\n'),
  }
}

function parseHeader(line: string): [string, string] {
  const [, name, value] = /^([\w-]+): (.*)$/.exec(line) ?? []
  if (name === undefined || value === undefined) throw new Error(`no header: ${line}`)
  return [name.toLowerCase(), value]
}

/** Puts values in: variables, `{{$timestamp}}`, and what named requests were answered. */
export function filledIn(
  text: string,
  variables: Readonly<Record<string, string>>,
  answers: ReadonlyMap<string, HttpAnswer>,
): string {
  return text.replace(/\{\{([^}]+)\}\}/g, (_, wanted: string) => {
    const value = variables[wanted] ?? answeredValue(wanted, answers)
    if (value === undefined) throw new Error(`there is no {{${wanted}}}`)
    return value
  })
}

function answeredValue(
  wanted: string,
  answers: ReadonlyMap<string, HttpAnswer>,
): string | undefined {
  const [, name = '', where, path = ''] =
    /^(\w+)\.response\.(body\.\$|headers)\.([\w.-]+)$/.exec(wanted) ?? []
  const answer = answers.get(name)
  if (where === 'headers') return answer?.headers.get(path) ?? undefined
  const found = path.split('.').reduce<unknown>(fieldOf, answer?.body)
  return found === undefined ? undefined : String(found)
}

function fieldOf(value: unknown, name: string): unknown {
  return Object.entries(value ?? {}).find(([key]) => key === name)?.[1]
}

/** A body as bytes, with the files that `< ./name` stands for; parts end their lines with CRLF. */
export async function bodyBytes(
  request: Pick<HttpRequest, 'headers' | 'body'>,
  file: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (request.body === undefined) return undefined
  const isForm = request.headers['content-type']?.startsWith('multipart/') === true
  if (!isForm) return Uint8Array.from(Buffer.from(request.body))
  const pieces = await Promise.all(
    request.body.split('\n').map(async line => {
      const included = /^< (\S+)$/.exec(line)?.[1]
      const bytes = included ? await readFile(join(dirname(file), included)) : Buffer.from(line)
      return Buffer.concat([bytes, Buffer.from('\r\n')])
    }),
  )
  return Uint8Array.from(Buffer.concat(pieces))
}

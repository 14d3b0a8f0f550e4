// Holds what live clients and webhook receivers get against docs/asyncapi.yaml.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { project } from './tidy/sources.ts'

const text = await readFile(join(project, 'docs/asyncapi.yaml'), 'utf8')
/** The document. */
export const asyncApi = parse(text)

const ajv = new Ajv({ strict: false, validateFormats: false })
ajv.addSchema(asyncApi, 'asyncapi', undefined, false)

/** Throws unless a message of this name is declared, and this is one. */
export function assertDeclared(name: string, part: 'payload' | 'headers', message: unknown): void {
  const check = ajv.getSchema(`asyncapi#/components/messages/${name}/${part}`)
  if (check === undefined) throw new Error(`docs/asyncapi.yaml has no message ${name}`)
  if (check(message)) return
  const faults = ajv.errorsText(check.errors)
  throw new Error(
    `${name} is not as docs/asyncapi.yaml says: ${faults}\n${JSON.stringify(message)}`,
  )
}

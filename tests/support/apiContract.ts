// Holds every answer of the API against the OpenAPI document that the API itself publishes.
import { Compile, type Validator } from 'typebox/compile'

export interface Operation {
  operationId?: string
  tags?: string[]
  summary?: string
  description?: string
  security?: Record<string, string[]>[]
  /** Who may use it. */
  'x-access'?: 'public' | string[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> }
  responses: Record<string, { description?: string; content?: Record<string, { schema: Schema }> }>
}
export interface Parameter {
  name: string
  in: string
  required?: boolean
  schema?: Schema
  example?: unknown
}
export type Schema = { [keyword: string]: unknown }
export interface OpenApi {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
}

export interface Received {
  method: string
  path: string
  status: number
  contentType: string
  body: unknown
}

export interface Contract {
  document: OpenApi
  /** Whether a request of this kind is refused without this header. */
  requires(method: string, path: string, header: string): boolean
  /** Throws when the document declares another answer than the one that came. */
  check(received: Received): void
}

/** Fetches the document of a running API. */
export async function fetchContract(url: string): Promise<Contract> {
  const published: OpenApi = JSON.parse(await (await fetch(`${url}/openapi.json`)).text())
  const paths = Object.keys(published.paths)
  let whole: OpenApi | undefined
  const routes = paths
    .map(path => ({ path, pattern: patternOf(path), parameters: path.split('{').length }))
    // What is spelled out wins over what is a parameter.
    .sort((a, b) => a.parameters - b.parameters)
  const validators = new Map<string, Validator>()
  const operationOf = (method: string, path: string) => {
    const route = routes.find(each => each.pattern.test(path))
    return published.paths[route?.path ?? '']?.[method.toLowerCase()]
  }
  return {
    get document() {
      whole ??= resolved(published, published)
      return whole
    },
    requires(method, path, header) {
      const known = operationOf(method, path)?.parameters ?? []
      return known.some(each => each.name.toLowerCase() === header && each.required === true)
    },
    check(received) {
      const operation = operationOf(received.method, received.path)
      if (operation !== undefined) checkAnswer(validators, published, operation, received)
    },
  }
}

/** The same part of a document with what its references lead to in their place. */
function resolved<Part>(document: OpenApi, part: Part): Part {
  const found = (reference: string) =>
    reference
      .split('/')
      .slice(1)
      .reduce<unknown>(
        (at, name) => Object.entries(at ?? {}).find(([key]) => key === name)?.[1],
        document,
      )
  const text = JSON.stringify(part, (_, value: unknown) => {
    const isReference = typeof value === 'object' && value !== null && '$ref' in value
    if (!isReference) return value
    const target = found(String(value.$ref))
    if (target === undefined) throw new Error(`${value.$ref} leads nowhere`)
    return target
  })
  return JSON.parse(text)
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)
}

function checkAnswer(
  validators: Map<string, Validator>,
  document: OpenApi,
  operation: Operation,
  received: Received,
): void {
  const { status, contentType, body } = received
  const key = `${operation.operationId} ${status} ${contentType}`
  const validator = validators.get(key) ?? validatorOf(document, operation, received)
  if (validator === undefined) return
  validators.set(key, validator)
  if (validator.Check(body)) return
  const faults = [...validator.Errors(body)].map(fault => `${fault.instancePath} ${fault.message}`)
  const all = `${faults.join('; ')}\n${JSON.stringify(body)}`
  throw new Error(`${whatWas(received)} is not as declared: ${all}`)
}

/** What such an answer is held against; undefined where it has no body. */
function validatorOf(
  document: OpenApi,
  operation: Operation,
  received: Received,
): Validator | undefined {
  const { status, contentType } = received
  const declared = operation.responses[String(status)]
  if (declared === undefined) {
    if (status === 304) return
    throw new Error(`${whatWas(received)} is not declared`)
  }
  const { content } = resolved(document, declared)
  if (content === undefined) return
  const schema = content[contentType]?.schema
  if (schema !== undefined) return Compile(schema)
  throw new Error(`${whatWas(received)} answers ${contentType}, not declared`)
}

const whatWas = ({ method, path, status }: Received) => `${method} ${path} → ${status}`

// Validates requests with the schemas of the OpenAPI document.
import type { FastifyInstance, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import type { TSchema } from 'typebox'
import { type FieldFault, faultsMax, shapeOf } from '../../commands/core/fieldFaults.ts'
import { readParameters } from '../../commands/core/normalize.ts'
import { createValidator } from '../../commands/core/validator.ts'

/** The parts of a request that are text. */
const isParameters = new Set<string | undefined>(['params', 'querystring'])

/**
 * Bodies are not coerced: a number in quotes is not a number. Path and query are text and
 * coerced to what the schema wants. Unknown fields are refused, never dropped.
 */
export function useValidators(server: FastifyInstance): void {
  server.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    const validate = createValidator(schema)
    const shape = shapeOf(schema)
    return (data: unknown) => {
      const read = isParameters.has(httpPart) ? readParameters(shape, data) : data
      const { value, faults } = validate(read)
      return faults.length === 0 ? { value } : { error: faults.map(asFastifyError) }
    }
  })
}

const parts = ['params', 'querystring', 'headers', 'body'] as const

/**
 * The faults of all parts of a request. Fastify stops at the first invalid part; callers want
 * to know all of them at once.
 */
export function faultsOfRequest(request: FastifyRequest) {
  const values = {
    params: request.params,
    querystring: request.query,
    headers: request.headers,
    body: request.body,
  }
  const all = parts.flatMap(part => {
    // A body of several content types has a validator for each of them.
    const validate: unknown = request.getValidationFunction(part)
    const result: unknown = typeof validate === 'function' ? validate(values[part]) : undefined
    return errorsOf(result).map(({ instancePath: pointer, message: detail }) => ({
      pointer,
      detail: detail ?? 'is not valid',
      in: part,
    }))
  })
  return all.slice(0, faultsMax)
}

function errorsOf(result: unknown): FastifySchemaValidationError[] {
  const isResult = typeof result === 'object' && result !== null && 'error' in result
  return isResult && Array.isArray(result.error) ? result.error : []
}

function asFastifyError({ pointer, detail }: FieldFault): FastifySchemaValidationError {
  return {
    keyword: 'schema',
    instancePath: pointer,
    schemaPath: '',
    params: {},
    message: detail,
  }
}

// Checks requests with the schemas that also make the OpenAPI document, field by field.
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Value } from 'typebox/value'

declare module 'fastify' {
  interface FastifySchemaValidationError {
    /** JSON pointer of the field that is at fault. */
    pointer?: string
  }
}

const faultsMax = 20
/** The parts of a request that are text, whatever they mean. */
const readsText = new Set<string | undefined>(['params', 'querystring'])

/**
 * Bodies are taken as they are: a number in quotes is not a number. Path and query are text by
 * nature and are read as what the schema wants. Unknown fields are refused, never dropped.
 */
export function useValidators(app: FastifyInstance): void {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    const compiled = Compile(schema)
    return (data: unknown) => {
      const value = readsText.has(httpPart) ? Value.Convert(schema, data) : data
      if (compiled.Check(value)) return { value }
      return { error: faults(compiled.Errors(value)) }
    }
  })
}

function faults(errors: readonly TLocalizedValidationError[]): FastifySchemaValidationError[] {
  return errors
    .filter(error => error.keyword !== 'boolean')
    .slice(0, faultsMax)
    .flatMap(error =>
      fieldsOf(error).map(pointer => ({
        keyword: error.keyword,
        instancePath: error.instancePath,
        schemaPath: error.schemaPath,
        params: {},
        message: error.message,
        pointer,
      })),
    )
}

/** Of fields that are missing or unknown, the fields themselves, not the object they belong in. */
function fieldsOf({ instancePath, params }: TLocalizedValidationError): string[] {
  const names = Object.entries(params).flatMap(([name, value]) =>
    name === 'requiredProperties' || name === 'additionalProperties' ? value : [],
  )
  const fields = Array.isArray(names) ? names.filter(name => typeof name === 'string') : []
  return fields.length === 0 ? [instancePath] : fields.map(field => `${instancePath}/${field}`)
}

// Checks what comes from outside against a schema: text normalized, every faulty field at once.
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { isAllStorable } from '../../domain/kernel/text.ts'
import { type FieldFault, faultsMax, faultsOf, type Shape, shapeOf } from './fieldFaults.ts'
import { findUnstorable, normalize } from './normalize.ts'

export interface Validated {
  value: unknown
  faults: FieldFault[]
}

/** Checks values against a schema, and returns them with their text normalized. */
export function createValidator(schema: TSchema): (data: unknown) => Validated {
  const compiled = Compile(schema)
  const shape = shapeOf(schema)
  return data => {
    const value = normalize(shape, data)
    if (compiled.Check(value) && isAllStorable(value)) return { value, faults: [] }
    return { value, faults: allFaults(shape, value) }
  }
}

function allFaults(shape: Shape, value: unknown): FieldFault[] {
  const found = faultsOf(shape, value)
  const unstorable = findUnstorable(value)
  const named = new Set(found.map(({ pointer }) => pointer))
  const faults = [...found, ...unstorable.filter(({ pointer }) => !named.has(pointer))]
  return faults.length > 0 ? faults.slice(0, faultsMax) : [{ pointer: '', detail: 'is not valid' }]
}

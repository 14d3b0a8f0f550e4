// What a form was filled from stays as it was while something typed into it is not saved.
import { createContext, useContext, useEffect, useRef, useState } from 'react'
import { type RaRecord, useFormIsDirty, useRecordContext } from 'react-admin'

export interface Filled {
  /** The record as it was when the form was filled, with its version. */
  from?: RaRecord | undefined
  /** Whether the form takes the next version although it has changes: they are being saved. */
  isReleased: boolean
}

export const FilledContext = createContext<{ current: Filled }>({ current: { isReleased: false } })

/**
 * The record for a form. A newer version, such as one with more stock, replaces it only while
 * nothing is typed: a form that is filled anew forgets what was typed.
 */
export function useStableRecord() {
  const now = useRecordContext<RaRecord>()
  const filled = useContext(FilledContext)
  const held = useRef(now)
  const [isDirty, setDirty] = useState(false)
  const isStable = isDirty && !filled.current.isReleased && held.current?.id === now?.id
  const record = isStable ? held.current : now
  useEffect(() => {
    held.current = record
    filled.current.from = record
    if (!isDirty) filled.current.isReleased = false
  }, [record, isDirty, filled])
  return { record, setDirty }
}

/** Tells from inside a form whether something in it is not saved. */
export function DirtyWatch({ onChange }: { onChange(isDirty: boolean): void }) {
  const isDirty = useFormIsDirty()
  useEffect(() => onChange(isDirty), [isDirty, onChange])
  return null
}

// Holds a form back until its record has come with its version: the list's copy has none.
import { LinearProgress } from '@mui/material'
import type { ReactNode } from 'react'
import { useRecordContext } from 'react-admin'

/** What was typed into the list's copy would be lost when the record arrives. */
export function WhenRead({ children }: { children: ReactNode }) {
  const record = useRecordContext()
  return record?.etag === undefined ? <LinearProgress aria-label="Loading" /> : children
}

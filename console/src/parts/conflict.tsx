// Somebody else was faster: what both have changed, side by side, and who shall win.
import {
  Alert,
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogTitle,
  Table,
  TableBody,
  TableCell,
  TableHead,
  TableRow,
} from '@mui/material'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import {
  HttpError,
  type Identifier,
  type RaRecord,
  useGetList,
  useNotify,
  useRefresh,
} from 'react-admin'
import { changesOf, dataProvider, sendable } from '../api/dataProvider.ts'
import { formatMoney, isMoney } from '../money.ts'
import type { Filled } from './stableRecord.tsx'

/** An edit that was refused because the record is not what it was. */
interface Conflict {
  id: Identifier
  data: Partial<RaRecord>
  previousData: RaRecord
}

type Refused = { [Field in keyof Conflict]?: Conflict[Field] | undefined }

interface Form {
  filled: { current: Filled }
  /** Takes what is in the shop, whatever was typed. */
  fillAnew(): void
}

/** What an edit page says when saving fails, and the dialog where somebody else was faster. */
export function useConflicts(resource: string, { filled, fillAnew }: Form) {
  const [conflict, setConflict] = useState<Conflict>()
  const [fault, setFault] = useState<string>()
  const onError = (error: Error, refused: Refused | undefined) => {
    filled.current.isReleased = false
    const { id, data } = refused ?? {}
    const previousData = data?.filledFrom ?? refused?.previousData
    const isStale = error instanceof HttpError && error.status === 412
    if (isStale && id !== undefined && data !== undefined && previousData !== undefined) {
      setConflict({ id, data, previousData })
    } else {
      setFault(error.message)
    }
  }
  const clear = (data: Partial<RaRecord>) => {
    setFault(undefined)
    filled.current.isReleased = true
    return { ...data, filledFrom: filled.current.from }
  }
  const close = () => setConflict(undefined)
  const onResolved = () => {
    fillAnew()
    close()
  }
  const dialog = conflict && <ConflictDialog {...{ resource, conflict, close, onResolved }} />
  return { onError, fault, clear, dialog }
}

interface ConflictProps {
  resource: string
  conflict: Conflict
  close(): void
  /** The form takes what is in the shop. */
  onResolved(): void
}

function ConflictDialog({ resource, conflict, close, onResolved }: ConflictProps) {
  const { id, data, previousData } = conflict
  const notify = useNotify()
  const refresh = useRefresh()
  const [fault, setFault] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const nameOf = useCategoryNames()
  const { data: now, error } = useQuery({
    queryKey: [resource, 'conflict', id],
    queryFn: async () => (await dataProvider.getOne(resource, { id })).data,
    gcTime: 0,
  })
  const ownChanges = sendable(resource, changesOf(data, previousData))
  const theirs = now === undefined ? {} : sendable(resource, changesOf(now, previousData))
  const fields = [...new Set([...Object.keys(ownChanges), ...Object.keys(theirs)])]
  const resolve = (message: string) => {
    notify(message, { type: 'info' })
    onResolved()
    refresh()
  }
  const saveOwn = async () => {
    if (now === undefined) return
    setBusy(true)
    try {
      await dataProvider.update(resource, {
        id,
        data: { ...now, ...ownChanges },
        previousData: now,
      })
      resolve('Your changes are saved, together with what was changed meanwhile')
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  const text = (field: string, value: unknown) =>
    field === 'categoryId' ? nameOf(value) : shown(value)
  return (
    <Dialog open onClose={close} aria-labelledby="conflict" maxWidth="sm" fullWidth>
      <DialogTitle id="conflict">Somebody else changed this meanwhile</DialogTitle>
      <DialogContent>
        <Alert severity="warning">Nothing of yours is saved yet. What shall hold?</Alert>
        {(fault ?? error?.message) && <Alert severity="error">{fault ?? error?.message}</Alert>}
        <Table size="small">
          <TableHead>
            <TableRow>
              <TableCell>Field</TableCell>
              <TableCell>Yours</TableCell>
              <TableCell>In the shop now</TableCell>
            </TableRow>
          </TableHead>
          <TableBody>
            {fields.map(field => (
              <TableRow key={field}>
                <TableCell component="th">{field === 'categoryId' ? 'category' : field}</TableCell>
                <TableCell>
                  {text(field, field in ownChanges ? ownChanges[field] : previousData[field])}
                </TableCell>
                <TableCell>{text(field, now?.[field])}</TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </DialogContent>
      <DialogActions>
        <Button onClick={close}>Go on editing</Button>
        <Button onClick={() => resolve('This is what is in the shop now')}>Take theirs</Button>
        <Button variant="contained" onClick={saveOwn} disabled={now === undefined || isBusy}>
          Save mine
        </Button>
      </DialogActions>
    </Dialog>
  )
}

/** Categories by the names that people know them by. */
function useCategoryNames() {
  const { data = [] } = useGetList('categories', { pagination: { page: 1, perPage: 10_000 } })
  const names = new Map<unknown, string>(data.map(({ id, name }) => [id, String(name)]))
  return (id: unknown) => names.get(id) ?? shown(id)
}

function shown(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–'
  if (isMoney(value)) return formatMoney(value)
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

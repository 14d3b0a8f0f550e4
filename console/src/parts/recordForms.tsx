// Forms for records: what was typed stays until the shop has taken it, and a refusal says why.
import { Alert, LinearProgress } from '@mui/material'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { Create, type CreateProps, Edit, type EditProps, SimpleForm } from 'react-admin'
import { useConflicts } from './conflict.tsx'
import { LoadFault } from './recordList.tsx'
import { DirtyWatch, type Filled, FilledContext, useStableRecord } from './stableRecord.tsx'

interface RecordEditProps extends Pick<EditProps, 'title'> {
  resource: string
  children: ReactNode
}

/**
 * Edits one record. Nothing is shown as saved before the shop has said so; what fails to load, now
 * or when it is looked at again, neither leaves the page nor takes the form away.
 */
export function RecordEdit({ resource, children, ...rest }: RecordEditProps) {
  const [filled, setFilled] = useState<{ current: Filled }>({ current: { isReleased: false } })
  const fillAnew = () => setFilled({ current: { isReleased: true } })
  const { onError, fault, clear, dialog } = useConflicts(resource, { filled, fillAnew })
  return (
    <Edit
      resource={resource}
      mutationMode="pessimistic"
      redirect={false}
      mutationOptions={{ onError }}
      queryOptions={{ onError: () => undefined }}
      transform={clear}
      sx={{ '& .RaEdit-main > *': { minWidth: 0 } }}
      {...rest}
      render={({ record, error, refetch }) => (
        <>
          {error && <LoadFault error={error} retry={refetch} />}
          {fault !== undefined && <FormFault>{fault}</FormFault>}
          {/* The list's copy has no version: what was typed into it would be lost. */}
          {record?.etag !== undefined ? (
            <FilledContext value={filled}>{children}</FilledContext>
          ) : (
            !error && <LinearProgress aria-label="Loading" />
          )}
          {dialog}
        </>
      )}
    />
  )
}

interface RecordCreateProps extends Pick<CreateProps, 'title' | 'redirect'> {
  children: ReactNode
}

/** Makes a record: the form stays as it is until there is one. */
export function RecordCreate({ children, ...rest }: RecordCreateProps) {
  const [fault, setFault] = useState<string>()
  return (
    <Create
      mutationMode="pessimistic"
      mutationOptions={{ onError: error => setFault(error.message) }}
      transform={data => {
        setFault(undefined)
        return data
      }}
      {...rest}
    >
      {fault !== undefined && <FormFault>{fault}</FormFault>}
      {children}
    </Create>
  )
}

/** Stays until the next attempt, where a notification would be gone in seconds. */
function FormFault({ children }: { children: string }) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    place.current?.scrollIntoView({ block: 'nearest' })
  }, [])
  return (
    <Alert severity="error" ref={place}>
      {children}
    </Alert>
  )
}

type FormProps = React.ComponentProps<typeof SimpleForm>

/** The form of a record, which is not left by mistake while something in it is not saved. */
export function RecordForm({ children, ...props }: FormProps) {
  const { record, setDirty } = useStableRecord()
  return (
    <SimpleForm warnWhenUnsavedChanges {...(record && { record })} {...props}>
      {children}
      <DirtyWatch onChange={setDirty} />
    </SimpleForm>
  )
}

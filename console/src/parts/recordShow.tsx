// The page of one record, which says when it cannot be read and offers to ask again.
import { LinearProgress } from '@mui/material'
import type { ReactNode } from 'react'
import { Show, type ShowProps } from 'react-admin'
import { LoadFault } from './recordList.tsx'

interface RecordShowProps extends Pick<ShowProps, 'title'> {
  children: ReactNode
}

export function RecordShow({ children, ...rest }: RecordShowProps) {
  return (
    <Show
      component="div"
      actions={false}
      sx={{ '& .RaShow-main > *': { minWidth: 0 } }}
      queryOptions={{ onError: () => undefined }}
      {...rest}
      render={({ record, error, refetch }) => (
        <>
          {error && <LoadFault error={error} retry={refetch} />}
          {record === undefined ? !error && <LinearProgress aria-label="Loading" /> : children}
        </>
      )}
    />
  )
}

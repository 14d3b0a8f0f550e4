// Lists of records: rows that open by keyboard, totals that say what they know, faults with a retry.
import { Alert, Button, LinearProgress, Link, TablePagination, useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import type { ReactNode } from 'react'
import {
  DataTable,
  List,
  type ListControllerResult,
  type ListProps,
  type RaRecord,
  useCreatePath,
  useListContext,
  useResourceContext,
} from 'react-admin'
import { Link as RouterLink } from 'react-router-dom'

/** A list whose page tells an outage from an empty shop, and a counted total from an uncounted. */
export function RecordList({ children, ...rest }: ListProps) {
  return (
    <List
      perPage={25}
      exporter={false}
      pagination={<Pages />}
      queryOptions={{ onError: () => undefined }}
      render={list => <Rows list={list}>{children}</Rows>}
      {...rest}
    />
  )
}

interface RowsProps {
  list: ListControllerResult
  children: ReactNode
}

function Rows({ list, children }: RowsProps) {
  const { error, data, isPlaceholderData, refetch } = list
  const isShown = data !== undefined && !(isPlaceholderData && error !== null)
  return (
    <>
      {error && <LoadFault error={error} retry={refetch} />}
      {isShown ? children : !error && <LinearProgress aria-label="Loading" />}
    </>
  )
}

/** What is said where something could not be read: it is not empty, and can be asked for again. */
export function LoadFault({ error, retry }: { error: unknown; retry(): unknown }) {
  return (
    <Alert severity="error" action={<Button onClick={() => retry()}>Try again</Button>}>
      {error instanceof Error ? error.message : String(error)}
    </Alert>
  )
}

/** How many there are; the API counts to ten thousand. */
export function countText(total: number, isAtLeast: boolean | undefined): string {
  return isAtLeast ? `more than ${total.toLocaleString()}` : total.toLocaleString()
}

function Pages() {
  const { meta, page, perPage, total = 0, setPage, setPerPage, isPending } = useListContext()
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  if (isPending || total === 0) return null
  return (
    <TablePagination
      component="div"
      count={total}
      page={page - 1}
      rowsPerPage={perPage}
      rowsPerPageOptions={isSmall ? [] : [10, 25, 50, 100]}
      onPageChange={(_, next) => setPage(next + 1)}
      onRowsPerPageChange={({ target }) => setPerPage(Number(target.value))}
      labelDisplayedRows={rangeLabel(meta?.totalIsAtLeast)}
      showFirstButton
      showLastButton={!meta?.totalIsAtLeast}
    />
  )
}

interface Range {
  from: number
  to: number
  count: number
}

/** "1–25 of 3,266", "1–25 of more than 10,000" */
export function rangeLabel(isAtLeast: boolean | undefined) {
  return ({ from, to, count }: Range) => `${from}–${to} of ${countText(count, isAtLeast)}`
}

interface RecordTableProps<Row extends RaRecord> {
  /** Where a row leads to; nowhere for those who may not look. */
  opens: 'edit' | 'show' | false
  heading: string
  /** What a record is called: the link that opens it, for keyboards and screen readers. */
  name(record: Row): string
  /** What the list is sorted by when this column's head is pressed. */
  sortBy?: string
  before?(record: Row): ReactNode
  /** Names such as 100-0015 that are read as one. */
  isWhole?: boolean
  children: ReactNode
}

/** A table whose first column opens the record: Tab reaches it and Enter follows it. */
export function RecordTable<Row extends RaRecord>(props: RecordTableProps<Row>) {
  const { opens, heading, name, sortBy, before, isWhole, children } = props
  return (
    <DataTable<RaRecord> bulkActionButtons={false} rowClick={opens}>
      <DataTable.Col
        label={heading}
        sx={isWhole ? { whiteSpace: 'nowrap' } : {}}
        {...(sortBy === undefined ? { disableSort: true } : { source: sortBy })}
        render={(record: Row) => (
          <>
            {before?.(record)}
            <RowLink opens={opens} id={record.id}>
              {name(record)}
            </RowLink>
          </>
        )}
      />
      {children}
    </DataTable>
  )
}

interface RowLinkProps {
  opens: 'edit' | 'show' | false
  id: RaRecord['id']
  children: string
}

function RowLink({ opens, id, children }: RowLinkProps) {
  const resource = useResourceContext()
  const createPath = useCreatePath()
  if (opens === false || resource === undefined) return <>{children}</>
  return (
    <Link
      component={RouterLink}
      to={createPath({ resource, id, type: opens })}
      onClick={(event: React.MouseEvent) => event.stopPropagation()}
    >
      {children}
    </Link>
  )
}

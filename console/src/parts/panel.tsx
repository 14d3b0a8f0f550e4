// A titled part of a page, and what it shows while it loads, when it cannot, and when it is empty.
import { Box, Card, CardContent, LinearProgress, Stack, Typography } from '@mui/material'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Title } from 'react-admin'
import { ask } from '../api/request.ts'
import { LoadFault } from './recordList.tsx'

interface PanelProps {
  title: string
  actions?: ReactNode
  children: ReactNode
}

export function Panel({ title, actions, children }: PanelProps) {
  return (
    <Card variant="outlined" component="section" aria-label={title}>
      <CardContent>
        <Stack
          direction="row"
          sx={{ justifyContent: 'space-between', alignItems: 'center', mb: 1, gap: 1 }}
        >
          <Typography variant="h6" component="h2">
            {title}
          </Typography>
          <Stack direction="row" sx={{ flexWrap: 'wrap', gap: 1 }}>
            {actions}
          </Stack>
        </Stack>
        {children}
      </CardContent>
    </Card>
  )
}

interface FetchedProps<Body> {
  path: string
  /** Looks again this often. */
  everyMs?: number
  /** Another version of a record is asked for anew. */
  version?: string
  /** Belongs to the records of this resource: a change there is a change here. */
  of?: string
  children(body: Body): ReactNode
}

/** What the API answers at a path, with a bar until it does and a way to try again. */
export function Fetched<Body>({
  path,
  everyMs,
  version,
  of = 'parts',
  children,
}: FetchedProps<Body>) {
  const { data, error, refetch } = useQuery({
    queryKey: [of, 'fetched', path, version],
    queryFn: async () => (await ask<Body>(path)).body,
    retry: false,
    ...(everyMs === undefined ? {} : { refetchInterval: everyMs }),
  })
  if (data === undefined && error === null) return <LinearProgress aria-label="Loading" />
  return (
    <>
      {error && <LoadFault error={error} retry={refetch} />}
      {data !== undefined && children(data)}
    </>
  )
}

/** What is said where there is nothing yet. */
export function Nothing({ children }: { children: ReactNode }) {
  return (
    <Typography color="text.secondary" sx={{ py: 2 }}>
      {children}
    </Typography>
  )
}

/** What is not a list or a form; without a title it has its record's. Wide tables scroll in it. */
export function Page({ title, children }: { title?: string; children: ReactNode }) {
  return (
    <Box sx={{ display: 'grid', gridTemplateColumns: 'minmax(0, 1fr)', gap: 2, py: 2 }}>
      {title !== undefined && <Title title={title} />}
      {children}
    </Box>
  )
}

// The first page: what waits to be done, what happens right now, and where else to look.
import { Card, CardActionArea, CardContent, Grid, Link, Stack, Typography } from '@mui/material'
import { useCanAccess, useNotify, usePermissions } from 'react-admin'
import { may } from '../api/access.ts'
import { send } from '../api/request.ts'
import { Fetched, Page, Panel } from '../parts/panel.tsx'
import { countText } from '../parts/recordList.tsx'
import { FeedPanel } from './feed.tsx'
import { SalesByDay } from './sales.tsx'

export function Dashboard() {
  const { permissions: roles = [] } = usePermissions()
  const sees = (resource: string) => may(roles, resource, 'list')
  return (
    <Page title="Orderstream">
      <Grid container spacing={2}>
        <OrdersIn label="To be shipped" status="paid" />
        <OrdersIn label="Waiting to be paid" status="pending" />
        <OrdersIn label="On their way" status="shipped" />
        {sees('lowStock') && <LowStock />}
        {sees('disputes') && (
          <Cases label="Disputes open" path="/admin/disputes?state=open&pageSize=1" />
        )}
        {sees('findings') && (
          <Cases
            label="Payments to be seen to"
            path="/admin/payment-findings?state=open&pageSize=1"
          />
        )}
      </Grid>
      <Grid container spacing={2}>
        {sees('sales') && (
          <Grid size={{ xs: 12, md: 7 }}>
            <SalesByDay days={30} />
          </Grid>
        )}
        <Grid size={{ xs: 12, md: sees('sales') ? 5 : 12 }}>
          <FeedPanel shownMax={8} />
        </Grid>
        <Grid size={12}>
          <Elsewhere />
        </Grid>
      </Grid>
    </Page>
  )
}

interface Total {
  total: number
  totalIsAtLeast?: boolean
}

function OrdersIn({ label, status }: { label: string; status: string }) {
  const filter = encodeURIComponent(JSON.stringify({ status }))
  return (
    <Fact label={label} to={`#/orders?filter=${filter}`}>
      <Fetched<Total> path={`/orders?status=${status}&pageSize=1`} of="orders">
        {({ total, totalIsAtLeast }) => <>{countText(total, totalIsAtLeast)}</>}
      </Fetched>
    </Fact>
  )
}

function Cases({ label, path }: { label: string; path: string }) {
  return (
    <Fact label={label} to="#/disputes">
      <Fetched<Total> path={path} of="orders">
        {({ total, totalIsAtLeast }) => <>{countText(total, totalIsAtLeast)}</>}
      </Fetched>
    </Fact>
  )
}

function LowStock() {
  return (
    <Fact label="Low in stock" to="#/low-stock">
      <Fetched<Total> path="/products/low-stock?pageSize=1" of="products">
        {({ total, totalIsAtLeast }) => <>{countText(total, totalIsAtLeast)}</>}
      </Fetched>
    </Fact>
  )
}

interface FactProps {
  label: string
  to: string
  children: React.ReactNode
}

function Fact({ label, to, children }: FactProps) {
  return (
    <Grid size={{ xs: 6, md: 3 }}>
      <Card variant="outlined">
        <CardActionArea href={to}>
          <CardContent>
            <Typography color="text.secondary" variant="body2">
              {label}
            </Typography>
            <Typography variant="h4" component="div">
              {children}
            </Typography>
          </CardContent>
        </CardActionArea>
      </Card>
    </Grid>
  )
}

/** A link carries no token: the API puts it where the browser sends it along, to there alone. */
function QueuesLink() {
  const notify = useNotify()
  const open = async () => {
    try {
      await send('/admin/queues/session', { method: 'POST' })
      location.assign('/admin/queues')
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error), { type: 'error' })
    }
  }
  return (
    <Link component="button" variant="body1" onClick={open}>
      Queues of jobs
    </Link>
  )
}

function Elsewhere() {
  const queues = useCanAccess({ resource: 'queues', action: 'list' }).canAccess
  return (
    <Panel title="Elsewhere">
      <Stack direction="row" sx={{ flexWrap: 'wrap', gap: 3 }}>
        <Link href="/docs">Try the API out</Link>
        <Link href="/redoc">API reference</Link>
        <Link href="/openapi.json">OpenAPI document</Link>
        {queues && <QueuesLink />}
      </Stack>
    </Panel>
  )
}

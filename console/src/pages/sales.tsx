// What was sold: by day, product, category, country and customer, as charts, figures and CSV.
import {
  Button,
  Grid,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  TextField,
  Typography,
} from '@mui/material'
import { useState } from 'react'
import { useNotify } from 'react-admin'
import { send } from '../api/request.ts'
import type { Money } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { type Bar, DayBars, NameBars } from '../parts/bars.tsx'
import { Fetched, Nothing, Page, Panel } from '../parts/panel.tsx'

type Dimension = 'day' | 'product' | 'category' | 'country' | 'customer'

interface Line {
  key: string | null
  name: string | null
  orders: number
  quantity: number
  gross: Money
  returned: Money
  net: Money
}

interface Report {
  data: Line[]
  total: number
  timeZone: string
}

const dayMs = 86_400_000
/** None of them is all there ever was. */
const spans = [7, 30, 90, 365, 0]
const shownMax = 10
const barsMax = 400

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** All days between two, both included. */
function daysBetween(first: string, last: string): string[] {
  const from = Date.parse(first)
  const count = Math.round((Date.parse(last) - from) / dayMs) + 1
  return Array.from({ length: Math.max(1, count) }, (_, index) => dayOf(from + index * dayMs))
}

function firstOf(days: number): string {
  return dayOf(Date.now() - (days - 1) * dayMs)
}

function pathOf(by: Dimension, days: number, limit = 10_000): string {
  const from = days === 0 ? '' : `&from=${firstOf(days)}`
  return `/admin/reports/sales?by=${by}${from}&limit=${limit}`
}

/** Without a limit: a file holds all lines. */
function csvPath(by: Dimension, days: number): string {
  const from = days === 0 ? '' : `&from=${firstOf(days)}`
  return `/admin/reports/sales?by=${by}${from}`
}

export function SalesPage() {
  const [days, setDays] = useState(30)
  return (
    <Page title="Sales">
      <TextField
        label="Time"
        select
        value={days}
        onChange={event => setDays(Number(event.target.value))}
        slotProps={{ select: { native: true } }}
        sx={{ maxWidth: 240 }}
      >
        {spans.map(span => (
          <option key={span} value={span}>
            {span === 0 ? 'all of it' : `the last ${span} days`}
          </option>
        ))}
      </TextField>
      <SalesByDay days={days} />
      <Grid container spacing={2}>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="product" title="By product" days={days} />
        </Grid>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="category" title="By category" days={days} />
        </Grid>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="country" title="By country" days={days} />
        </Grid>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="customer" title="By customer" days={days} />
        </Grid>
      </Grid>
    </Page>
  )
}

/** The chart of the days, with those on which nothing was sold. */
export function SalesByDay({ days }: { days: number }) {
  return (
    <Panel title="Sales by day" actions={<CsvButton dimension="day" days={days} />}>
      <Fetched<Report> path={pathOf('day', days)} of="orders">
        {({ data, timeZone }) =>
          data.length === 0 ? (
            <Nothing>Nothing was sold in this time.</Nothing>
          ) : (
            <>
              <Days lines={data} days={days} />
              <Typography variant="caption">Days begin at midnight in {timeZone}.</Typography>
            </>
          )
        }
      </Fetched>
    </Panel>
  )
}

function Days({ lines, days }: { lines: readonly Line[]; days: number }) {
  const today = dayOf(Date.now())
  const first = days === 0 ? (lines[0]?.key ?? today) : firstOf(days)
  const all = daysBetween(first, days === 0 ? (lines.at(-1)?.key ?? today) : today)
  // More bars than that are finer than a screen.
  const letters = all.length > barsMax ? 'YYYY-MM'.length : 'YYYY-MM-DD'.length
  const shown = [...new Set(all.map(day => day.slice(0, letters)))]
  const bars = shown.map(label => {
    const own = lines.filter(line => line.key?.startsWith(label))
    return barOf(label, own)
  })
  return (
    <>
      <DayBars bars={bars} title="Sales by day" />
      <Totals lines={lines} />
    </>
  )
}

function barOf(label: string, lines: readonly Line[]): Bar {
  const [first] = lines
  if (first === undefined) return { label, value: 0, text: 'nothing' }
  const { currency } = first.net
  const own = lines.filter(line => line.net.currency === currency)
  const amount = own.reduce((sum, line) => sum + line.net.amount, 0)
  const orders = own.reduce((sum, line) => sum + line.orders, 0)
  return { label, value: amount, text: `${formatMoney({ amount, currency })} in ${orders} orders` }
}

function Totals({ lines }: { lines: readonly Line[] }) {
  const [first] = lines
  if (first === undefined) return null
  const { currency } = first.net
  const own = lines.filter(line => line.net.currency === currency)
  const sum = (part: 'gross' | 'returned' | 'net') =>
    formatMoney({ currency, amount: own.reduce((total, line) => total + line[part].amount, 0) })
  return (
    <TableContainer sx={{ mt: 1 }}>
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell align="right">Sold</TableCell>
            <TableCell align="right">Returned</TableCell>
            <TableCell align="right">Net</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          <TableRow>
            <TableCell align="right">{sum('gross')}</TableCell>
            <TableCell align="right">{sum('returned')}</TableCell>
            <TableCell align="right">{sum('net')}</TableCell>
          </TableRow>
        </TableBody>
      </Table>
    </TableContainer>
  )
}

interface SalesByProps {
  dimension: Exclude<Dimension, 'day'>
  title: string
  days: number
}

function SalesBy({ dimension, title, days }: SalesByProps) {
  return (
    <Panel title={title} actions={<CsvButton dimension={dimension} days={days} />}>
      <Fetched<Report> path={pathOf(dimension, days, shownMax)} of="orders">
        {({ data }) =>
          data.length === 0 ? (
            <Nothing>Nothing was sold in this time.</Nothing>
          ) : (
            <NameBars
              title={title}
              bars={data.map(line => ({
                label: line.name ?? line.key ?? 'none',
                value: line.net.amount,
                text: `${formatMoney(line.net)} · ${line.quantity} pieces`,
              }))}
            />
          )
        }
      </Fetched>
    </Panel>
  )
}

/** The whole report as a file; a plain link would not carry the token. */
function CsvButton({ dimension, days }: { dimension: Dimension; days: number }) {
  const notify = useNotify()
  const download = async () => {
    try {
      const headers = { accept: 'text/csv' }
      const response = await send(csvPath(dimension, days), { headers })
      const link = document.createElement('a')
      link.href = URL.createObjectURL(await response.blob())
      link.download = `sales-by-${dimension}.csv`
      link.click()
      URL.revokeObjectURL(link.href)
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error), { type: 'error' })
    }
  }
  return (
    <Button onClick={download} aria-label={`Sales by ${dimension} as CSV`}>
      CSV
    </Button>
  )
}

// One search over orders, products and people, from the bar of every page.
import Search from '@mui/icons-material/Search'
import {
  Box,
  IconButton,
  List,
  ListItem,
  ListItemButton,
  ListItemText,
  TextField,
} from '@mui/material'
import { type FormEvent, useState } from 'react'
import { usePermissions } from 'react-admin'
import { useNavigate, useSearchParams } from 'react-router-dom'
import { may } from '../api/access.ts'
import type { Order, Product, User } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { Fetched, Nothing, Page, Panel } from '../parts/panel.tsx'
import { countText } from '../parts/recordList.tsx'

const shownMax = 10

export function SearchBox() {
  const [words, setWords] = useState('')
  const navigate = useNavigate()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (words.trim() !== '') navigate(`/search?q=${encodeURIComponent(words.trim())}`)
  }
  return (
    <search>
      <form onSubmit={submit}>
        <TextField
          size="small"
          variant="outlined"
          placeholder="Search"
          value={words}
          onChange={event => setWords(event.target.value)}
          sx={{ width: { xs: '100%', sm: 260 }, bgcolor: 'background.paper', borderRadius: 1 }}
          slotProps={{
            htmlInput: {
              'aria-label': 'Search orders, products and people',
              type: 'search',
              maxLength: 200,
              style: { padding: '4px 8px' },
            },
          }}
        />
      </form>
    </search>
  )
}

/** On a phone the bar has no room for the box: it is on the page that this leads to. */
export function SearchLink() {
  const navigate = useNavigate()
  return (
    <IconButton
      color="inherit"
      aria-label="Search orders, products and people"
      onClick={() => navigate('/search')}
      sx={{ display: { xs: 'inline-flex', sm: 'none' } }}
    >
      <Search />
    </IconButton>
  )
}

/** The box again where the bar has none. */
function BoxOfPage() {
  return (
    <Box sx={{ display: { xs: 'block', sm: 'none' } }}>
      <SearchBox />
    </Box>
  )
}

export function SearchPage() {
  const [params] = useSearchParams()
  const { permissions: roles = [] } = usePermissions()
  const words = params.get('q') ?? ''
  const query = `search=${encodeURIComponent(words)}&pageSize=${shownMax}`
  if (words === '') {
    return (
      <Page title="Search">
        <BoxOfPage />
        <Nothing>Orders, products and people are found by number, name, e-mail and more.</Nothing>
      </Page>
    )
  }
  return (
    <Page title={`Search: ${words}`}>
      <BoxOfPage />
      <Results<Order>
        title="Orders"
        path={`/orders?${query}`}
        of="orders"
        href={order => `#/orders/${order.id}/show`}
        name={order => `${order.orderNumber} · ${order.customerName ?? '–'}`}
        more={order => `${order.status} · ${formatMoney(order.total)} · ${order.recipient ?? ''}`}
      />
      <Results<Product>
        title="Products"
        path={`/products?${query}&deleted=false`}
        of="products"
        href={product => `#/products/${product.id}/show`}
        name={product => product.name}
        more={product => `${product.sku} · ${formatMoney(product.price)}`}
      />
      {may(roles, 'users', 'show') && (
        <Results<User>
          title="People"
          path={`/admin/users?${query}`}
          of="users"
          href={user => `#/users/${user.id}/show`}
          name={user => user.username}
          more={user => user.email ?? ''}
        />
      )}
    </Page>
  )
}

interface Found<Row> {
  data: Row[]
  total: number
  totalIsAtLeast?: boolean
}

interface ResultsProps<Row> {
  title: string
  path: string
  of: string
  href(row: Row): string
  name(row: Row): string
  more(row: Row): string
}

function Results<Row extends { id: string }>(props: ResultsProps<Row>) {
  const { title, path, of, href, name, more } = props
  return (
    <Panel title={title}>
      <Fetched<Found<Row>> path={path} of={of}>
        {({ data, total, totalIsAtLeast }) =>
          data.length === 0 ? (
            <Nothing>None found.</Nothing>
          ) : (
            <>
              {total > data.length &&
                `The first ${data.length} of ${countText(total, totalIsAtLeast)}:`}
              <List dense aria-label={title}>
                {data.map(row => (
                  <ListItem key={row.id} disablePadding>
                    <ListItemButton component="a" href={href(row)}>
                      <ListItemText primary={name(row)} secondary={more(row)} />
                    </ListItemButton>
                  </ListItem>
                ))}
              </List>
            </>
          )
        }
      </Fetched>
    </Panel>
  )
}

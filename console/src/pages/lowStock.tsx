// Products that are about to run out.
import { Table, TableBody, TableCell, TableHead, TableRow } from '@mui/material'
import type { Product, Stock } from '../api/shapes.ts'
import { Fetched, Nothing, Page, Panel } from '../parts/panel.tsx'

type Scarce = Product & { stock: Pick<Stock, 'onHand' | 'reserved' | 'available'> }

export function LowStockPage() {
  return (
    <Page title="Low in stock">
      <Panel title="Low in stock">
        <Fetched<{ data: Scarce[] }>
          path="/products/low-stock?pageSize=100"
          of="products"
          everyMs={30_000}
        >
          {({ data }) => <Scarcities products={data} />}
        </Fetched>
      </Panel>
    </Page>
  )
}

function Scarcities({ products }: { products: readonly Scarce[] }) {
  if (products.length === 0) return <Nothing>There is enough of everything.</Nothing>
  return (
    <Table size="small">
      <TableHead>
        <TableRow>
          <TableCell>Product</TableCell>
          <TableCell align="right">Available</TableCell>
          <TableCell align="right">Reserved</TableCell>
        </TableRow>
      </TableHead>
      <TableBody>
        {products.map(product => (
          <TableRow key={product.id}>
            <TableCell>
              <a href={`#/products/${product.id}/show`}>{product.name}</a>
            </TableCell>
            <TableCell align="right">{product.stock.available}</TableCell>
            <TableCell align="right">{product.stock.reserved}</TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  )
}

// Products that are about to run out.
import { Table, TableBody, TableCell, TableHead, TablePagination, TableRow } from '@mui/material'
import { useState } from 'react'
import type { Product, Stock } from '../api/shapes.ts'
import { Fetched, Nothing, Page, Panel } from '../parts/panel.tsx'
import { rangeLabel } from '../parts/recordList.tsx'

type Scarce = Product & { stock: Pick<Stock, 'onHand' | 'reserved' | 'available'> }

interface ScarcePage {
  data: Scarce[]
  total: number
  totalIsAtLeast?: boolean
}

export function LowStockPage() {
  const [page, setPage] = useState(0)
  const [size, setSize] = useState(25)
  return (
    <Page title="Low in stock">
      <Panel title="Low in stock">
        <Fetched<ScarcePage>
          path={`/products/low-stock?page=${page + 1}&pageSize=${size}`}
          of="products"
          everyMs={30_000}
        >
          {({ data, total, totalIsAtLeast }) => (
            <>
              <Scarcities products={data} />
              <TablePagination
                component="div"
                count={total}
                page={page}
                rowsPerPage={size}
                rowsPerPageOptions={[10, 25, 50, 100]}
                onPageChange={(_, next) => setPage(next)}
                onRowsPerPageChange={({ target }) => {
                  setPage(0)
                  setSize(Number(target.value))
                }}
                labelDisplayedRows={rangeLabel(totalIsAtLeast)}
                showFirstButton
                showLastButton={!totalIsAtLeast}
              />
            </>
          )}
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

// Orders: the list, by status, time and customer.
import { useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import { DataTable, DateTimeInput, SelectInput, SimpleList, TextInput } from 'react-admin'
import { orderStatuses } from '../../../src/domain/order/orderStates.ts'
import type { Order } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { listSearch } from '../parts/listSearch.tsx'
import { RecordList, RecordTable } from '../parts/recordList.tsx'
import { Amount, StatusChip, timeText } from '../parts/status.tsx'

const utc = (local: string) => (local ? new Date(local).toISOString() : local)
const filters = [
  listSearch({ placeholder: 'Number, name, e-mail, phone, SKU, tracking', minWidth: 340 }),
  <SelectInput
    key="status"
    source="status"
    alwaysOn
    choices={orderStatuses.map(id => ({ id, name: id }))}
  />,
  <DateTimeInput key="from" source="from" label="Placed from" parse={utc} />,
  <DateTimeInput key="to" source="to" label="Placed before" parse={utc} />,
  <TextInput key="customerId" source="customerId" label="Customer id" />,
]

export function OrderList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  return (
    <RecordList filters={filters} sort={{ field: '', order: 'DESC' }}>
      {isSmall ? (
        <SimpleList<Order>
          rowClick="show"
          primaryText={order => `${order.orderNumber} · ${formatMoney(order.total)}`}
          secondaryText={order => `${order.customerName ?? '–'} · ${timeText(order.placedAt)}`}
          tertiaryText={order => <StatusChip status={order.status} />}
        />
      ) : (
        <Table />
      )}
    </RecordList>
  )
}

function Table() {
  return (
    <RecordTable<Order> opens="show" heading="Order" name={order => order.orderNumber} isWhole>
      <DataTable.Col
        source="status"
        disableSort
        render={(order: Order) => <StatusChip status={order.status} />}
      />
      <DataTable.Col
        label="Customer"
        disableSort
        render={(order: Order) => order.customerName ?? '–'}
      />
      <DataTable.Col
        label="Ship to"
        disableSort
        render={(order: Order) => order.recipient ?? '–'}
      />
      <DataTable.NumberCol source="itemCount" label="Pieces" disableSort />
      <DataTable.Col
        align="right"
        source="total"
        disableSort
        render={(order: Order) => <Amount value={order.total} />}
      />
      <DataTable.Col
        source="placedAt"
        label="Placed"
        disableSort
        render={(order: Order) => timeText(order.placedAt)}
      />
    </RecordTable>
  )
}

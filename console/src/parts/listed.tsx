// A list that a page shows the newest part of: what it says when it is empty, or longer than that.
import { Link } from '@mui/material'
import type { ReactNode } from 'react'
import { Link as RouterLink } from 'react-router-dom'
import { Nothing } from './panel.tsx'
import { countText } from './recordList.tsx'

/** As the API answers with a part of a list. */
export interface Found<Item> {
  data: Item[]
  total?: number
}

/** How many such a page asks for. */
export const shownMax = 100

interface ListedProps {
  found: Found<unknown>
  none: string
  children: ReactNode
}

/** The rows of a part, or `none`; says of how many they are the newest. */
export function Listed({ found: { data, total = data.length }, none, children }: ListedProps) {
  if (data.length === 0) return <Nothing>{none}</Nothing>
  return (
    <>
      {children}
      {total > data.length && (
        <Nothing>{`The newest ${data.length} of ${countText(total, false)}.`}</Nothing>
      )}
    </>
  )
}

interface OrderLinkProps {
  orderId: string | null
  orderNumber: string | null
}

/** Leads to the page of an order by its number; a dash where there is none. */
export function OrderLink({ orderId, orderNumber }: OrderLinkProps) {
  if (orderId === null || orderNumber === null) return <>–</>
  return (
    <Link component={RouterLink} to={`/orders/${orderId}/show`} sx={{ whiteSpace: 'nowrap' }}>
      {orderNumber}
    </Link>
  )
}

// Correcting where an order goes, with the reason why, until it is shipped.
import { TextField } from '@mui/material'
import { useState } from 'react'
import { ask } from '../api/request.ts'
import type { Order } from '../api/shapes.ts'
import { AskDialog } from '../parts/ask.tsx'
import { ReasonField } from '../parts/reasonField.tsx'

interface DeliveryDialogProps {
  order: Order
  close(): void
}

export function DeliveryDialog({ order, close }: DeliveryDialogProps) {
  const [address, setAddress] = useState(order.shippingAddress ?? '')
  const [phone, setPhone] = useState(order.phoneNumber ?? '')
  const [country, setCountry] = useState(order.country ?? '')
  const [reason, setReason] = useState('')
  const send = (key: string) =>
    ask(`/orders/${order.id}`, {
      method: 'PATCH',
      key,
      body: {
        reason,
        ...(address === '' ? {} : { shippingAddress: address }),
        ...(phone === '' ? {} : { phoneNumber: phone }),
        ...(country === '' ? {} : { country }),
      },
    })
  return (
    <AskDialog
      title={`Delivery of ${order.orderNumber}`}
      verb="Save"
      done="The delivery is changed"
      send={send}
      close={close}
    >
      <TextField
        label="Address"
        required={order.shippingAddress !== null}
        multiline
        minRows={3}
        autoFocus
        value={address}
        onChange={event => setAddress(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 1_000 } }}
      />
      <TextField
        label="Country (such as GB)"
        required={order.country !== null}
        value={country}
        onChange={event => setCountry(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 60 } }}
      />
      <TextField
        label="Phone"
        required={order.phoneNumber !== null}
        value={phone}
        onChange={event => setPhone(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 40 } }}
      />
      <ReasonField required value={reason} change={setReason} />
    </AskDialog>
  )
}

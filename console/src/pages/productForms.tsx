// One product: made, changed with a check for somebody else's changes, or only looked at.
import { Button, Stack, Typography } from '@mui/material'
import { useState } from 'react'
import {
  BooleanInput,
  DeleteButton,
  NumberInput,
  ReferenceField,
  ReferenceInput,
  required,
  SaveButton,
  SelectInput,
  SimpleShowLayout,
  TextField,
  TextInput,
  Toolbar,
  useEditContext,
  useRecordContext,
} from 'react-admin'
import { useCurrency } from '../api/currency.ts'
import { ask } from '../api/request.ts'
import type { Product } from '../api/shapes.ts'
import { AskDialog } from '../parts/ask.tsx'
import { MoneyInput } from '../parts/moneyInput.tsx'
import { RecordCreate, RecordEdit, RecordForm } from '../parts/recordForms.tsx'
import { RecordShow } from '../parts/recordShow.tsx'
import { Amount } from '../parts/status.tsx'
import { ImagePanel } from './productImages.tsx'
import { PricePanel, StockPanel } from './stock.tsx'

function Details({ currency }: { currency: string }) {
  return (
    <>
      <TextInput
        source="name"
        validate={required()}
        slotProps={{ htmlInput: { maxLength: 200 } }}
      />
      <TextInput source="description" multiline minRows={3} parse={text => text ?? ''} />
      <MoneyInput source="price" label="Price" currency={currency} />
      <ReferenceInput source="categoryId" reference="categories" perPage={10_000}>
        <SelectInput optionText="name" label="Category" emptyText="None" parse={id => id || null} />
      </ReferenceInput>
      <BooleanInput source="featured" />
      <BooleanInput source="active" helperText="What is not active is not shown to customers." />
    </>
  )
}

export function ProductCreate() {
  const currency = useCurrency()
  return (
    <RecordCreate redirect="edit" title="New product">
      <RecordForm defaultValues={{ featured: false, active: true, description: '' }}>
        <TextInput source="sku" label="SKU" helperText="Left empty, the shop makes one up." />
        <Details currency={currency} />
        <NumberInput source="stock" label="Pieces in stock" min={0} step={1} />
      </RecordForm>
    </RecordCreate>
  )
}

export function ProductEdit() {
  return (
    <RecordEdit resource="products" title={<ProductTitle />}>
      <EditForm />
    </RecordEdit>
  )
}

function EditForm() {
  const product = useRecordContext<Product>()
  if (product === undefined) return null
  return (
    <>
      <RecordForm toolbar={<EditToolbar />}>
        <Details currency={product.price.currency} />
      </RecordForm>
      <Stack spacing={2} sx={{ p: { xs: 1, sm: 2 } }}>
        <StockPanel productId={product.id} />
        <ImagePanel product={product} />
        <PricePanel product={product} />
      </Stack>
    </>
  )
}

function EditToolbar() {
  // As it is in the shop: the form's own record is an older one while something is typed.
  const { record: product } = useEditContext<Product>()
  return (
    <Toolbar sx={{ justifyContent: 'space-between' }}>
      <SaveButton alwaysEnable={false} />
      {product?.deleted ? (
        <RestoreButton product={product} />
      ) : (
        <DeleteButton
          {...(product && { record: product })}
          mutationMode="pessimistic"
          confirmTitle="Take this product out of the shop?"
          confirmContent="It is not sold any more; its history and its orders stay."
        />
      )}
    </Toolbar>
  )
}

function RestoreButton({ product }: { product: Product }) {
  const [isAsking, setAsking] = useState(false)
  const path = `/products/${product.id}/restore`
  return (
    <Stack direction="row" sx={{ alignItems: 'center', gap: 1 }}>
      <Typography color="text.secondary">Deleted</Typography>
      <Button variant="outlined" onClick={() => setAsking(true)}>
        Restore product
      </Button>
      {isAsking && (
        <AskDialog
          title={`Put ${product.name} back into the shop?`}
          verb="Restore"
          done="The product is back in the shop"
          send={key => ask(path, { method: 'POST', key })}
          close={() => setAsking(false)}
        >
          <Typography>
            It is sold again, under its SKU and with its stock, as soon as it is active.
          </Typography>
        </AskDialog>
      )}
    </Stack>
  )
}

function ProductTitle() {
  const product = useRecordContext<Product>()
  return <span>{product ? `${product.name} (${product.sku})` : 'Product'}</span>
}

export function ProductShow() {
  return (
    <RecordShow title={<ProductTitle />}>
      <SimpleShowLayout>
        <TextField source="name" />
        <TextField source="sku" label="SKU" />
        <TextField source="description" emptyText="–" />
        <ReferenceField source="categoryId" reference="categories" link={false} emptyText="–" />
        <PriceOfProduct />
      </SimpleShowLayout>
      <ShownPanels />
    </RecordShow>
  )
}

function PriceOfProduct() {
  const product = useRecordContext<Product>()
  return <Amount value={product?.price} />
}

function ShownPanels() {
  const product = useRecordContext<Product>()
  if (product === undefined) return null
  return (
    <Stack spacing={2} sx={{ p: { xs: 1, sm: 2 } }}>
      <StockPanel productId={product.id} />
      <PricePanel product={product} />
    </Stack>
  )
}

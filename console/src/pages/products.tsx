// Products: the list, with search and filters.
import { Avatar, useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import {
  BooleanField,
  BooleanInput,
  CreateButton,
  DataTable,
  FilterButton,
  NumberInput,
  ReferenceField,
  ReferenceInput,
  SelectInput,
  SimpleList,
  SortButton,
  TopToolbar,
  useCanAccess,
} from 'react-admin'
import { shownProducts } from '../api/dataProvider.ts'
import type { Product } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { listSearch } from '../parts/listSearch.tsx'
import { RecordList, RecordTable } from '../parts/recordList.tsx'
import { useRowClick } from '../parts/rowClick.ts'
import { Amount, StatusChip, timeText } from '../parts/status.tsx'

const filters = [
  listSearch({ placeholder: 'Name, SKU, category' }),
  <SelectInput
    key="shown"
    source="shown"
    label="Shown"
    alwaysOn
    emptyText="all but deleted"
    choices={Object.entries(shownProducts).map(([id, { name }]) => ({ id, name }))}
  />,
  <ReferenceInput key="category" source="category" reference="categories" perPage={10_000}>
    <SelectInput optionText="name" label="Category" />
  </ReferenceInput>,
  <BooleanInput key="inStock" source="inStock" label="In stock" />,
  <BooleanInput key="featured" source="featured" label="Featured" />,
  <NumberInput key="minPrice" source="minPrice" label="From (minor units)" min={0} />,
  <NumberInput key="maxPrice" source="maxPrice" label="Up to (minor units)" min={0} />,
]

function Actions() {
  const { canAccess } = useCanAccess({ resource: 'products', action: 'create' })
  return (
    <TopToolbar>
      <SortButton fields={['name', 'price', 'createdAt']} />
      <FilterButton />
      {canAccess && <CreateButton />}
    </TopToolbar>
  )
}

export function ProductList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  const rowClick = useRowClick('products')
  return (
    <RecordList
      filters={filters}
      actions={<Actions />}
      sort={{ field: 'name', order: 'ASC' }}
      title="Products"
    >
      {isSmall ? (
        <SimpleList<Product>
          rowClick={rowClick}
          leftAvatar={product => <Picture product={product} />}
          primaryText={product => product.name}
          secondaryText={product => `${product.sku} · ${stateOf(product)}`}
          tertiaryText={product => formatMoney(product.price)}
        />
      ) : (
        <Table opens={rowClick} />
      )}
    </RecordList>
  )
}

/** What keeps it from being bought, or how much of it there is. */
function stateOf({ deleted, active, availability }: Product): string {
  if (deleted) return 'deleted'
  return active === false ? 'not active' : availability
}

function Table({ opens }: { opens: 'edit' | 'show' }) {
  return (
    <RecordTable<Product>
      opens={opens}
      heading="Name"
      sortBy="name"
      name={product => product.name}
      before={product => <Picture product={product} />}
    >
      <DataTable.Col source="sku" label="SKU" disableSort />
      <DataTable.Col source="categoryId" label="Category" disableSort>
        <ReferenceField source="categoryId" reference="categories" link={false} emptyText="–" />
      </DataTable.Col>
      <DataTable.Col
        align="right"
        source="price"
        render={(product: Product) => <Amount value={product.price} />}
      />
      <DataTable.Col
        source="availability"
        disableSort
        render={(product: Product) => <StatusChip status={stateOf(product)} />}
      />
      <DataTable.Col source="featured" disableSort>
        <BooleanField source="featured" />
      </DataTable.Col>
      <DataTable.Col
        source="createdAt"
        label="Listed"
        render={(product: Product) => timeText(product.createdAt)}
      />
    </RecordTable>
  )
}

function Picture({ product }: { product: Product }) {
  const [image] = product.images ?? []
  return (
    <Avatar
      sx={{ display: 'inline-flex', mr: 1 }}
      variant="rounded"
      src={image?.variants.small ?? ''}
      alt={image?.alt ?? ''}
    >
      {product.name.slice(0, 1)}
    </Avatar>
  )
}

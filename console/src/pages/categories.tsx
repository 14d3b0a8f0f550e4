// Categories: listed, made, changed with a check for somebody else's changes, deleted when empty.
import { useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import {
  BooleanField,
  BooleanInput,
  DataTable,
  required,
  SimpleList,
  TextInput,
  useCanAccess,
} from 'react-admin'
import type { Category } from '../api/shapes.ts'
import { listSearch } from '../parts/listSearch.tsx'
import { RecordCreate, RecordEdit, RecordForm } from '../parts/recordForms.tsx'
import { RecordList, RecordTable } from '../parts/recordList.tsx'

const filters = [listSearch({ placeholder: 'Name' })]

export function CategoryList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  const canEdit = useCanAccess({ resource: 'categories', action: 'edit' }).canAccess
  const opens = canEdit ? 'edit' : false
  return (
    <RecordList filters={filters} sort={{ field: 'name', order: 'ASC' }}>
      {isSmall ? (
        <SimpleList<Category>
          rowClick={opens}
          primaryText={category => category.name}
          secondaryText={category => category.description}
          tertiaryText={category => (category.active ? '' : 'not active')}
        />
      ) : (
        <RecordTable<Category>
          opens={opens}
          heading="Name"
          sortBy="name"
          name={category => category.name}
        >
          <DataTable.Col source="description" />
          <DataTable.Col source="active">
            <BooleanField source="active" />
          </DataTable.Col>
        </RecordTable>
      )}
    </RecordList>
  )
}

function Details() {
  return (
    <>
      <TextInput
        source="name"
        validate={required()}
        slotProps={{ htmlInput: { maxLength: 200 } }}
      />
      <TextInput source="description" multiline minRows={2} parse={text => text ?? ''} />
      <BooleanInput source="active" />
    </>
  )
}

export function CategoryCreate() {
  return (
    <RecordCreate redirect="list" title="New category">
      <RecordForm defaultValues={{ active: true, description: '' }}>
        <Details />
      </RecordForm>
    </RecordCreate>
  )
}

export function CategoryEdit() {
  return (
    <RecordEdit resource="categories">
      <RecordForm>
        <Details />
      </RecordForm>
    </RecordEdit>
  )
}

// How the pages' lists and forms become requests to the API, and its answers records.
import {
  type DataProvider,
  type DeleteParams,
  type GetListParams,
  HttpError,
  type Identifier,
  type RaRecord,
  type UpdateParams,
} from 'react-admin'
import { ask, isRefusal, newKey } from './request.ts'

interface Page<Row> {
  data: Row[]
  total?: number
  totalIsAtLeast?: boolean
  nextCursor?: string
}

interface Resource {
  path: string
  /** Whether the list is short enough to be had as a whole, so that it is sorted and cut here. */
  whole?: true
  /** The parameter that says how to sort, where that can be chosen. */
  ordering?: (field: string, order: string) => string
  /** The parameters that stand for a filter which is none of the API's own. */
  choices?: { source: string; query: Readonly<Record<string, object>>; otherwise: object }
}

/** What the filter `shown` of products can be. */
export const shownProducts = {
  sold: { name: 'on sale', query: { active: true } },
  inactive: { name: 'not active', query: { active: false } },
  deleted: { name: 'deleted', query: { deleted: true } },
}
const shownQueries = Object.fromEntries(
  Object.entries(shownProducts).map(([id, { query }]) => [id, query]),
)

const resources: Record<string, Resource> = {
  products: {
    path: '/products',
    ordering: (field, order) => `${order === 'DESC' && field !== 'relevance' ? '-' : ''}${field}`,
    choices: { source: 'shown', query: shownQueries, otherwise: { deleted: false } },
  },
  categories: { path: '/categories', whole: true },
  orders: { path: '/orders' },
  users: { path: '/admin/users' },
  imports: { path: '/products/imports' },
  mails: { path: '/admin/mails' },
}

function of(name: string): Resource {
  const resource = resources[name]
  if (resource === undefined) throw new Error(`There are no ${name}.`)
  return resource
}

/** One record with the version that was read. */
async function one<Row extends RaRecord>(resource: string, id: Identifier): Promise<Row> {
  const { body, etag } = await ask<Row>(`${of(resource).path}/${id}`)
  return { ...body, ...(etag === undefined ? {} : { etag }) }
}

/** A whole list, part by part. */
async function everything<Row>(path: string, cursor?: string): Promise<Row[]> {
  const query = new URLSearchParams({ limit: '100', ...(cursor === undefined ? {} : { cursor }) })
  const { body } = await ask<Page<Row>>(`${path}?${query}`)
  if (body.nextCursor === undefined) return body.data
  return [...body.data, ...(await everything<Row>(path, body.nextCursor))]
}

async function list<Row extends RaRecord>(name: string, params: GetListParams) {
  const { path, whole, ordering, choices } = of(name)
  const { page = 1, perPage = 25 } = params.pagination ?? {}
  const { field = '', order = 'ASC' } = params.sort ?? {}
  if (whole) {
    return cut(await everything<Row>(path), params)
  }
  const { search, ...filter } = chosen(params.filter ?? {}, choices)
  const isSearched = typeof search === 'string' && search.trim() !== ''
  const query = new URLSearchParams({ page: `${page}`, pageSize: `${Math.min(perPage, 100)}` })
  if (ordering !== undefined && field !== '' && !(isSearched && field === 'name')) {
    query.set('ordering', ordering(field, order))
  }
  if (isSearched) query.set('search', search.trim())
  for (const [key, value] of Object.entries(filter)) {
    if (value !== undefined && value !== null && value !== '') query.set(key, String(value))
  }
  const { body } = await ask<Page<Row>>(`${path}?${query}`)
  const { data, total = data.length, totalIsAtLeast = false } = body
  return { data, total, meta: { totalIsAtLeast } }
}

function chosen(filter: Record<string, unknown>, choices: Resource['choices']) {
  if (choices === undefined) return filter
  const { [choices.source]: choice, ...rest } = filter
  return { ...rest, ...(choices.query[String(choice)] ?? choices.otherwise) }
}

/** A page of a list that is read as a whole. */
function cut<Row extends RaRecord>(all: Row[], { filter, sort, pagination }: GetListParams) {
  const words = String(filter?.search ?? '').toLowerCase()
  const { field = 'name', order = 'ASC' } = sort ?? {}
  const { page = 1, perPage = 25 } = pagination ?? {}
  const found = all
    .filter(record => String(record.name).toLowerCase().includes(words))
    .sort((one, other) => String(one[field]).localeCompare(String(other[field])))
  if (order === 'DESC') found.reverse()
  return { data: found.slice((page - 1) * perPage, page * perPage), total: found.length }
}

/** The fields of a form that differ from what was read. */
export function changesOf(data: Partial<RaRecord>, before: Partial<RaRecord>) {
  const isSame = (key: string) => JSON.stringify(data[key]) === JSON.stringify(before[key])
  return Object.fromEntries(Object.entries(data).filter(([key]) => !isSame(key)))
}

/** What a form may send, by resource: the rest of a record is for reading. */
const writable: Record<string, readonly string[]> = {
  products: [
    ...['name', 'description', 'sku', 'price', 'categoryId', 'featured', 'active', 'stock'],
  ],
  categories: ['name', 'description', 'active'],
  users: ['roles', 'disabled'],
}

export function sendable(resource: string, data: object): Record<string, unknown> {
  const fields = writable[resource] ?? []
  return Object.fromEntries(Object.entries(data).filter(([key]) => fields.includes(key)))
}

/** Stock is none of a record's own fields: it moves with every order. */
function hasSameFields(resource: string, one: object, other: object): boolean {
  const { stock: _, ...changed } = sendable(resource, changesOf(one, other))
  return Object.keys(changed).length === 0
}

/** A field of a new record that was filled in and emptied again is one that was left out. */
function filledIn(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}

export const dataProvider: DataProvider = {
  getList: list,
  async getOne(resource, { id }) {
    return { data: await one(resource, id) }
  },
  async getMany<Row extends RaRecord>(resource: string, { ids }: { ids: Identifier[] }) {
    if (of(resource).whole) {
      const all = await everything<Row>(of(resource).path)
      return { data: all.filter(({ id }) => ids.includes(id)) }
    }
    // What is gone by now does not keep the rest from being shown.
    const found = await Promise.allSettled(ids.map(id => one<Row>(resource, id)))
    return { data: found.flatMap(each => (each.status === 'fulfilled' ? [each.value] : [])) }
  },
  async getManyReference() {
    return { data: [], total: 0 }
  },
  async create<_, Row extends RaRecord>(resource: string, { data }: { data: object }) {
    const { path } = of(resource)
    const body = filledIn(sendable(resource, data))
    const { body: made } = await withKey([path, body], key =>
      ask<Row>(path, { method: 'POST', body, key }),
    )
    return { data: await one<Row>(resource, made.id).catch(() => ({ ...made, ...data })) }
  },
  async update<Row extends RaRecord>(resource: string, params: UpdateParams<Row>) {
    const { id, data, previousData } = params
    const path = `${of(resource).path}/${id}`
    const before: Partial<RaRecord> = data.filledFrom ?? previousData
    const body = sendable(resource, changesOf(data, before))
    if (Object.keys(body).length === 0) return { data: await one<Row>(resource, id) }
    // Of a later version that differs in other things alone, such as images, nothing is overwritten.
    const { etag: known } = hasSameFields(resource, before, previousData) ? previousData : before
    const ifMatch: string = known ?? (await one<Row>(resource, id)).etag
    const { etag } = await withKey([path, ifMatch, body], key =>
      ask(path, { method: 'PATCH', body, ifMatch, key }),
    )
    // It is saved, whether it can be read again or not.
    const saved = { ...previousData, ...body, ...(etag === undefined ? {} : { etag }) }
    return { data: await one<Row>(resource, id).catch(() => saved) }
  },
  async delete<Row extends RaRecord>(resource: string, params: DeleteParams<Row>) {
    const { id, previousData } = params
    const before = previousData?.etag === undefined ? await one<Row>(resource, id) : previousData
    const path = `${of(resource).path}/${id}`
    const running = deletions.get(path) ?? ask(path, { method: 'DELETE', ifMatch: before.etag })
    deletions.set(path, running)
    await running.finally(() => deletions.delete(path))
    return { data: before }
  },
  updateMany: oneByOne,
  deleteMany: oneByOne,
}

/** Deletions that are on their way: a second click is the same one, not another that is late. */
const deletions = new Map<string, Promise<unknown>>()

/** Keys of commands whose outcome is not known: the same command sent again is the same one. */
const openKeys = new Map<string, string>()

async function withKey<Result>(
  command: unknown,
  send: (key: string) => Promise<Result>,
): Promise<Result> {
  const name = JSON.stringify(command)
  const key = openKeys.get(name) ?? newKey()
  openKeys.set(name, key)
  try {
    const result = await send(key)
    openKeys.delete(name)
    return result
  } catch (error) {
    if (isRefusal(error)) openKeys.delete(name)
    throw error
  }
}

async function oneByOne(): Promise<never> {
  throw new HttpError('This is not possible for several at once.', 400)
}

// Pagination: by page number or by cursor, with links to the other pages.
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { digestOf } from '../../commands/core/ids.ts'
import { Id } from '../../domain/kernel/types.ts'
import { parseJson } from '../../kit/parseJson.ts'
import {
  countMax,
  isSortKey,
  type PageRequest,
  type Place,
  type SortKind,
} from '../../projections/core/keyset.ts'
import { HttpProblem } from './problems.ts'
import { PageQuery, pagesMax } from './schemas.ts'

const PageParameters = Type.Object(PageQuery)

/** A paginated list; a cursor is only valid for the list that it comes from. */
export interface List {
  /** The filters and ordering that define it. */
  of: unknown
  /** The type of its sort keys. */
  kind: SortKind
}

/** A page of a list, as read from the read model. */
export interface FoundPage<Item> {
  data: Item[]
  next: Place | undefined
  total: number | undefined
}

// Cursors of other formats will have another version.
const version = 1
const Cursor = Compile(
  Type.Tuple([Type.Literal(version), Type.String(), Type.String({ maxLength: 1_000 }), Id]),
)
const defaultSize = 10

/** The page that a query requests. Throws a 400 problem for a cursor of another list. */
export function partOf(query: Static<typeof PageParameters>, list: List): PageRequest {
  const { page, pageSize, cursor, limit } = query
  if (cursor === undefined && limit === undefined) {
    return { page: page ?? 1, pageSize: pageSize ?? defaultSize }
  }
  if (page !== undefined || pageSize !== undefined) {
    throw new HttpProblem('request/invalid', 'Use either page and pageSize, or cursor and limit.', {
      errors: [
        {
          pointer: cursor === undefined ? '/limit' : '/cursor',
          detail: 'cannot be combined with page or pageSize',
        },
      ],
    })
  }
  return {
    after: cursor === undefined ? undefined : placeOf(cursor, list),
    limit: limit ?? defaultSize,
  }
}

function placeOf(cursor: string, list: List): Place {
  const parsed = parseJson(Buffer.from(cursor, 'base64url').toString())
  if (Cursor.Check(parsed)) {
    const [, digest, key, id] = parsed
    if (digest === digestOf(list.of) && isSortKey(list.kind, key)) return { key, id }
  }
  throw new HttpProblem('request/invalid', 'The cursor is invalid.', {
    errors: [
      {
        pointer: '/cursor',
        detail: 'must be the nextCursor of an earlier response with the same filters',
      },
    ],
  })
}

/** The body of a response with a page. */
export function pageBody<Item>(
  part: PageRequest,
  list: List,
  { data, next, total }: FoundPage<Item>,
) {
  return {
    data,
    ...('page' in part ? { ...part, ...counted(total ?? 0) } : {}),
    ...(next === undefined ? {} : { nextCursor: cursorOf(list, next) }),
  }
}

/** A total above the limit of counting is marked as such. */
function counted(total: number) {
  return total <= countMax ? { total } : { total: countMax, totalIsAtLeast: true }
}

function cursorOf(list: List, { key, id }: Place): string {
  return Buffer.from(JSON.stringify([version, digestOf(list.of), key, id])).toString('base64url')
}

/** A page of a short list in memory, newest first. */
export function cutPage<Item>(
  all: readonly Item[],
  part: PageRequest,
  placeOfItem: (item: Item) => Place,
): FoundPage<Item> {
  const start =
    'page' in part ? (part.page - 1) * part.pageSize : indexAfter(all, part, placeOfItem)
  const data = all.slice(start, start + ('page' in part ? part.pageSize : part.limit))
  const last = data.at(-1)
  const isLast = last === undefined || start + data.length >= all.length
  return { data, next: isLast ? undefined : placeOfItem(last), total: all.length }
}

/** The index after a place, newest first, whether its row still exists or not. */
function indexAfter<Item>(
  all: readonly Item[],
  { after }: { after: Place | undefined },
  placeOfItem: (item: Item) => Place,
): number {
  if (after === undefined) return 0
  const places = all.map(placeOfItem)
  const same = places.findIndex(({ id }) => id === after.id)
  if (same >= 0) return same + 1
  const older = places.findIndex(({ key }) => Number(key) < Number(after.key))
  return older < 0 ? all.length : older
}

/**
 * Responds with the page that the query requests, and links the other pages in the Link
 * header. Throws as partOf does.
 */
export async function answerPage<Item>(
  { request, reply }: { request: ListRequest; reply: FastifyReply },
  list: List,
  read: (part: PageRequest) => Promise<FoundPage<Item>>,
) {
  const part = partOf(request.query, list)
  const body = pageBody(part, list, await read(part))
  linkParts(request, reply, part, body)
  return body
}

type ListRequest = Pick<FastifyRequest, 'url'> & { query: Static<typeof PageParameters> }

interface PageBounds {
  nextCursor?: string | undefined
  total?: number | undefined
  totalIsAtLeast?: boolean | undefined
}

/** Links the other pages of a list in the Link header (RFC 8288). */
export function linkParts(
  request: Pick<FastifyRequest, 'url'>,
  reply: FastifyReply,
  part: PageRequest,
  ends: PageBounds,
): void {
  reply.header('link', linkOf(request.url, part, ends))
}

/** The Link header of a list at a URL. */
export function linkOf(url: string, part: PageRequest, ends: PageBounds): string {
  const links = 'page' in part ? pageLinks(part, ends) : cursorLinks(part, ends.nextCursor)
  const { pathname, searchParams } = new URL(url, 'http://shop.invalid')
  for (const name of ['page', 'cursor', 'limit']) searchParams.delete(name)
  const header = links.map(([rel, change]) => {
    const query = new URLSearchParams([...searchParams, ...Object.entries(change)])
    return `<${pathname}?${query}>; rel="${rel}"`
  })
  return header.join(', ')
}

type Link = readonly [rel: string, change: Record<string, string>]

interface NumberedPage {
  page: number
  pageSize: number
}

function pageLinks(
  { page, pageSize }: NumberedPage,
  { total = 0, totalIsAtLeast }: PageBounds,
): Link[] {
  const last = Math.max(1, Math.ceil(total / pageSize))
  const isLastKnown = totalIsAtLeast !== true
  const to = (rel: string, number: number): Link => [rel, { page: String(number) }]
  return [
    to('first', 1),
    ...(page > 1 ? [to('prev', isLastKnown ? Math.min(page - 1, last) : page - 1)] : []),
    ...(page < last || (!isLastKnown && page < pagesMax) ? [to('next', page + 1)] : []),
    ...(isLastKnown ? [to('last', last)] : []),
  ]
}

function cursorLinks({ limit }: { limit: number }, nextCursor: string | undefined): Link[] {
  const first: Link = ['first', { limit: String(limit) }]
  if (nextCursor === undefined) return [first]
  return [first, ['next', { limit: String(limit), cursor: nextCursor }]]
}

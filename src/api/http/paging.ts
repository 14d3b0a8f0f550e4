// Lists in parts over HTTP: by page number or by cursor, with links to the other parts.
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

const Asked = Type.Object(PageQuery)

/** A list that can be had in parts: a cursor is good for the list that it comes from alone. */
export interface List {
  /** What decides which rows are in it, and in which order. */
  of: unknown
  /** What its sort keys are. */
  kind: SortKind
}

/** A part of a list as the read model gives it. */
export interface Found<Item> {
  data: Item[]
  next: Place | undefined
  total: number | undefined
}

// Whatever comes to be in a cursor one day, today's are told from it.
const version = 1
const Cursor = Compile(
  Type.Tuple([Type.Literal(version), Type.String(), Type.String({ maxLength: 1_000 }), Id]),
)
const defaultSize = 10

/** The part that a query asks for. Throws a 400 problem for a cursor that is not of this list. */
export function partOf(query: Static<typeof Asked>, list: List): PageRequest {
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

/** The body of an answer with a part of a list. */
export function pageBody<Item>(part: PageRequest, list: List, { data, next, total }: Found<Item>) {
  return {
    data,
    ...('page' in part ? { ...part, ...counted(total ?? 0) } : {}),
    ...(next === undefined ? {} : { nextCursor: cursorOf(list, next) }),
  }
}

/** A total that was not counted to its end says so. */
function counted(total: number) {
  return total <= countMax ? { total } : { total: countMax, totalIsAtLeast: true }
}

function cursorOf(list: List, { key, id }: Place): string {
  return Buffer.from(JSON.stringify([version, digestOf(list.of), key, id])).toString('base64url')
}

/** A part of a list, newest first, that is short enough to be at hand as a whole. */
export function cutPage<Item>(
  all: readonly Item[],
  part: PageRequest,
  placeOfItem: (item: Item) => Place,
): Found<Item> {
  const start = 'page' in part ? (part.page - 1) * part.pageSize : behind(all, part, placeOfItem)
  const data = all.slice(start, start + ('page' in part ? part.pageSize : part.limit))
  const last = data.at(-1)
  const isLast = last === undefined || start + data.length >= all.length
  return { data, next: isLast ? undefined : placeOfItem(last), total: all.length }
}

/** Where a list goes on behind a place: newest first, whether its row is there still or not. */
function behind<Item>(
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
 * Answers with the part of a list that the query asks for, and names the other parts in the Link
 * header. Throws as partOf does.
 */
export async function answerPage<Item>(
  { request, reply }: { request: ListRequest; reply: FastifyReply },
  list: List,
  read: (part: PageRequest) => Promise<Found<Item>>,
) {
  const part = partOf(request.query, list)
  const body = pageBody(part, list, await read(part))
  linkParts(request, reply, part, body)
  return body
}

type ListRequest = Pick<FastifyRequest, 'url'> & { query: Static<typeof Asked> }

interface PageEnds {
  nextCursor?: string | undefined
  total?: number | undefined
  totalIsAtLeast?: boolean | undefined
}

/** Names the other parts of a list in the Link header (RFC 8288). */
export function linkParts(
  request: Pick<FastifyRequest, 'url'>,
  reply: FastifyReply,
  part: PageRequest,
  ends: PageEnds,
): void {
  reply.header('link', linkOf(request.url, part, ends))
}

/** What the Link header says of a list at an address. */
export function linkOf(url: string, part: PageRequest, ends: PageEnds): string {
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
  { total = 0, totalIsAtLeast }: PageEnds,
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

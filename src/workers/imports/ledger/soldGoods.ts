// Which pieces of which orders may still come back: what returns are matched against.

export interface Sale {
  orderId: string
  customerId: string
  product: string
  unitMinor: number
  quantity: number
}

export interface MatchedSale {
  orderId: string
  quantity: number
}

/** What shall come back; of one order alone where it is named. */
export type ReturnRequest = Omit<Sale, 'orderId'> & { orderId?: string }

export interface SoldGoods {
  sell(sale: Sale): void
  /** Takes back up to `quantity` pieces, from the newest purchase first; may take fewer. */
  match(request: ReturnRequest): MatchedSale[]
}

/** An empty book of sales. */
export function createSoldGoods(): SoldGoods {
  const book = new Map<string, MatchedSale[]>()
  return {
    sell({ orderId, quantity, ...goods }) {
      const key = keyOf(goods)
      const lots = book.get(key) ?? []
      book.set(key, lots)
      const last = lots.at(-1)
      if (last?.orderId === orderId) last.quantity += quantity
      else lots.push({ orderId, quantity })
    },
    match(request) {
      const lots = book.get(keyOf(request)) ?? []
      const matched: MatchedSale[] = []
      let open = request.quantity
      for (const lot of lots.toReversed()) {
        const isEligible = request.orderId === undefined || request.orderId === lot.orderId
        const quantity = isEligible ? Math.min(open, lot.quantity) : 0
        if (quantity > 0) matched.push({ orderId: lot.orderId, quantity })
        lot.quantity -= quantity
        open -= quantity
      }
      book.set(
        keyOf(request),
        lots.filter(lot => lot.quantity > 0),
      )
      return matched
    },
  }
}

function keyOf({
  customerId,
  product,
  unitMinor,
}: Pick<Sale, 'customerId' | 'product' | 'unitMinor'>) {
  return `${customerId}/${unitMinor}/${product}`
}

export interface ReturnedGoods {
  orderId: string
  returnId: string
  /** The invoice that brought them back. */
  reference: string
  product: string
  unitMinor: number
  quantity: number
}

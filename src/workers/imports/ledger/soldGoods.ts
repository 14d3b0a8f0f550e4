// Which pieces of which orders may still come back: what returns are matched against.

export interface Sale {
  orderId: string
  customerId: string
  product: string
  unitMinor: number
  quantity: number
}

export interface Taken {
  orderId: string
  quantity: number
}

/** What shall come back; of one order alone where it is named. */
export type ReturnRequest = Omit<Sale, 'orderId'> & { orderId?: string }

export interface SoldGoods {
  sell(sale: Sale): void
  /** Takes back up to `quantity` pieces, from the newest purchase first; may take fewer. */
  takeBack(wanted: ReturnRequest): Taken[]
}

/** An empty book of sales. */
export function createSoldGoods(): SoldGoods {
  const book = new Map<string, Taken[]>()
  return {
    sell({ orderId, quantity, ...goods }) {
      const key = keyOf(goods)
      const lots = book.get(key) ?? []
      book.set(key, lots)
      const last = lots.at(-1)
      if (last?.orderId === orderId) last.quantity += quantity
      else lots.push({ orderId, quantity })
    },
    takeBack(wanted) {
      const lots = book.get(keyOf(wanted)) ?? []
      const taken: Taken[] = []
      let open = wanted.quantity
      for (const lot of lots.toReversed()) {
        const isMeant = wanted.orderId === undefined || wanted.orderId === lot.orderId
        const quantity = isMeant ? Math.min(open, lot.quantity) : 0
        if (quantity > 0) taken.push({ orderId: lot.orderId, quantity })
        lot.quantity -= quantity
        open -= quantity
      }
      book.set(
        keyOf(wanted),
        lots.filter(lot => lot.quantity > 0),
      )
      return taken
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

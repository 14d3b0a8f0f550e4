// What comes and goes with every request. Not kept in a Map or a Set: those leave each table that
// they outgrow linked to the next one, so that once one of them is old, V8's collections of young
// objects keep everything that was ever in any of them, until the next full collection. A cart
// command left 12 kB behind in that way, and a third of the CPU time went into full collections.

/** Things in places that are used again. */
export class Places<Item extends object> {
  readonly #items: (Item | undefined)[] = []
  readonly #free: number[] = []

  /** Keeps an item; gives the place that it has until it leaves. */
  take(item: Item): number {
    const place = this.#free.pop() ?? this.#items.length
    this.#items[place] = item
    return place
  }

  leave(place: number): void {
    if (this.#items[place] === undefined) return
    this.#items[place] = undefined
    this.#free.push(place)
  }

  /** All that are there now. */
  all(): Item[] {
    return this.#items.filter(item => item !== undefined)
  }
}

/** Things by name. */
export class Lookup<Item extends object> {
  readonly #items: Record<string, Item> = Object.create(null)

  get(name: string): Item | undefined {
    return this.#items[name]
  }

  set(name: string, item: Item): void {
    this.#items[name] = item
  }

  delete(name: string): void {
    delete this.#items[name]
  }
}

// Medians, percentiles and spreads of figures.

export interface Spread {
  median: number
  lowest: number
  highest: number
}

/** The middle of some figures, and how far apart they are. */
export function spreadOf(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b)
  return { median: percentile(sorted, 50), lowest: sorted[0] ?? 0, highest: sorted.at(-1) ?? 0 }
}

/** The value below which so many per cent of sorted values lie; between two it is their middle. */
export function percentile(sorted: readonly number[], percent: number): number {
  const place = ((sorted.length - 1) * percent) / 100
  const low = sorted[Math.floor(place)] ?? 0
  return low + ((sorted[Math.ceil(place)] ?? 0) - low) * (place % 1)
}

// The currency of the shop, as the prices of its products have it.
import { useQuery } from '@tanstack/react-query'
import { ask } from './request.ts'
import type { Product } from './shapes.ts'

/** A shop has one currency; where nothing is sold yet, the API names the right one on refusal. */
export function useCurrency(): string {
  const { data } = useQuery({
    queryKey: ['currency'],
    queryFn: async () => {
      const { body } = await ask<{ data: Product[] }>('/products?pageSize=1')
      return body.data[0]?.price.currency ?? 'GBP'
    },
    staleTime: Number.POSITIVE_INFINITY,
  })
  return data ?? 'GBP'
}

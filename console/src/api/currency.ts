// The currency of the shop, as the total of a cart has it, also where nothing is sold yet.
import { useQuery } from '@tanstack/react-query'
import { ask } from './request.ts'
import type { Money } from './shapes.ts'

/** A shop has one currency; where nothing is sold yet, the API names the right one on refusal. */
export function useCurrency(): string {
  const { data } = useQuery({
    queryKey: ['currency'],
    queryFn: async () => {
      const { body } = await ask<{ total: Money }>('/cart/total')
      return body.total.currency
    },
    staleTime: Number.POSITIVE_INFINITY,
  })
  return data ?? 'GBP'
}

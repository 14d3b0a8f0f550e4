// Pretended payments have to be asked for: a shop with them gives its goods away.
import { ConfigError } from './config.ts'

/**
 * Refuses to serve a shop that was not told how it is paid: with pretended payments it would give
 * its goods away. Throws ConfigError.
 */
export function assertPaymentProvider(env: NodeJS.ProcessEnv): void {
  if (env.PAYMENT_PROVIDER?.trim()) return
  throw new ConfigError(
    'PAYMENT_PROVIDER is missing: set it to stripe or plugin, or to simulated for a shop in ' +
      'which payments are only pretended and nobody is charged',
  )
}

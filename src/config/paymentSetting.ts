// Requires an explicit payment provider: with simulated payments goods are given away.
import { ConfigError } from './config.ts'

/**
 * Throws ConfigError where PAYMENT_PROVIDER is not set: simulated payments must not be a default in
 * production.
 */
export function assertPaymentProvider(env: NodeJS.ProcessEnv): void {
  if (env.PAYMENT_PROVIDER?.trim()) return
  throw new ConfigError(
    'PAYMENT_PROVIDER is missing: set it to stripe or plugin, or to simulated for a shop ' +
      'in which payments are simulated and nobody is charged',
  )
}

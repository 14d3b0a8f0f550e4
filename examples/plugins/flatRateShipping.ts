// An example plugin: shipping at a flat rate, free from an amount of goods on.
//
//   PLUGINS=./examples/plugins/flatRateShipping.ts npm start
//
// SHIPPING_RATE and SHIPPING_FREE_FROM are in minor units of the shop's currency.
import type { Plugin } from '../../src/ports/plugins.ts'

const plugin: Plugin = {
  name: 'flat-rate-shipping',

  setup({ currency }) {
    const rate = minorUnits('SHIPPING_RATE', 495)
    const freeFrom = minorUnits('SHIPPING_FREE_FROM', 5_000)
    return {
      shipping: {
        charges({ lines }) {
          const goods = lines.reduce((sum, line) => sum + line.total.amount, 0)
          if (goods >= freeFrom) return []
          return [{ code: 'SHIPPING', name: 'Shipping', amount: { amount: rate, currency } }]
        },
      },
    }
  },
}

function minorUnits(setting: string, fallback: number): number {
  const value = Number(process.env[setting] ?? fallback)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new Error(`${setting} must be a whole number, 0 or more`)
}

export default plugin

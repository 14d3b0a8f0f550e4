// Seals for tests: the real cipher with one fixed key, and people who can be erased.
import { createSecretKey } from 'node:crypto'
import { openText, sealText } from '../../src/infra/crypto/secrets.ts'

const fixedKey = createSecretKey(Buffer.alloc(32, 'orderstream-test'))

/** Seals and opens like the shop does; what is about an `erase`d person does not open any more. */
export function testSeals() {
  const gone = new Set<string>()
  return {
    seal: async (subject: string, text: string) => sealText(fixedKey, text, subject),
    async open(subject: string, sealed: string) {
      return gone.has(subject) ? undefined : openText(fixedKey, sealed, subject)
    },
    isErased: async (subject: string) => gone.has(subject),
    evict(subject: string) {
      gone.add(subject)
    },
    erase(subject: string) {
      gone.add(subject)
    },
    restoreAll: () => gone.clear(),
  }
}

/** Seals of a shop that has lost every key. */
export const noSeals = {
  async seal(): Promise<string> {
    throw new Error('nothing can be sealed without keys')
  },
  open: async () => undefined,
  isErased: async () => true,
  evict: () => undefined,
}

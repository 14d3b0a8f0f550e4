// npm run keys:rotate: replaces the key that signs access tokens, at once.
import { main, UsageError, withApp } from './withApp.ts'

const usage = `Usage: npm run keys:rotate

Makes a new key that signs access tokens. Nobody is signed out: the key before verifies until the
last tokens that it has signed have ended. Keys are replaced after 30 days without this.`

await main(async () => {
  const [argument] = process.argv.slice(2)
  if (argument === '-h' || argument === '--help') return console.log(usage)
  if (argument !== undefined) throw new UsageError(`there is no argument ${argument}`)
  await withApp('npm run keys:rotate', ({ accounts }) => accounts.tokens.rotateKeys(0))
  console.log('There is a new signing key.')
})

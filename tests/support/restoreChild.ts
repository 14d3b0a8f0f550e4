// A restore that is killed as soon as it has come to a step: restoreChild.ts BACKUP STEP

import { loadConfig } from '../../src/config/config.ts'
import { createManifestSeal } from '../../src/infra/backup/manifestSeal.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { readManifest } from '../../src/workers/backup/manifest.ts'
import { restoreShop } from '../../tools/restoreShop.ts'

const [directory = '', step] = process.argv.slice(2)
const config = loadConfig(process.env)
const seal = createManifestSeal(createSecrets(config.secretKey))
const show = (name: string) => {
  if (name === step) process.kill(process.pid, 'SIGKILL')
}
await restoreShop(directory, await readManifest(directory, seal), { config, show })

// The guards and features that the suite claims to prove, by subject.
import type { TestedMutant } from '../mutant.ts'
import { accountGuards } from './accounts.ts'
import { dependencyGuards } from './dependencies.ts'
import { featuresTakenOut } from './features.ts'
import { forgeryGuards } from './forgeries.ts'
import { integrityGuards } from './integrity.ts'
import { mendedBeliefs } from './mendedBelief.ts'
import { mendedRules } from './mendedRules.ts'
import { moneyGuards } from './money.ts'
import { ownStreamGuards } from './ownStreams.ts'
import { provenOfApi } from './provenApi.ts'
import { provenOfCatalogue } from './provenCatalogue.ts'
import { provenOfOperations } from './provenOperations.ts'
import { provenOfOrders } from './provenOrders.ts'
import { provenOfPeople } from './provenPeople.ts'
import { readingGuards } from './reading.ts'
import { smallFeatures } from './smallFeatures.ts'
import { writingGuards } from './writing.ts'

export const everyGuard: readonly TestedMutant[] = [
  ...featuresTakenOut,
  ...smallFeatures,
  ...provenOfPeople,
  ...provenOfCatalogue,
  ...provenOfOrders,
  ...provenOfApi,
  ...provenOfOperations,
  ...writingGuards,
  ...readingGuards,
  ...ownStreamGuards,
  ...accountGuards,
  ...moneyGuards,
  ...integrityGuards,
  ...forgeryGuards,
  ...dependencyGuards,
  ...mendedBeliefs,
  ...mendedRules,
]

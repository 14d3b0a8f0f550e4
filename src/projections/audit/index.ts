// The projections for audits of the log.
import { eventIndex } from './eventIndex.ts'

export const auditProjections = [eventIndex]

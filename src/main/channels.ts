// The channels on which processes of a shop call each other; a lost call costs a poll interval.

/** On which projectors send order notifications to the API (projections/order). */
export const notified = 'orderstream:notified'
/** On which the API calls those who send mails about accounts. */
export const accountMailsQueued = 'orderstream:account-mails'
/** On which the API calls the importer. */
export const importsChanged = 'orderstream:imports'
/** On which the API calls those who send webhooks. */
export const webhooksRequested = 'orderstream:webhooks'

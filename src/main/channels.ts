// The channels on which processes of a shop call each other; a lost call costs a poll interval.

/** On which projectors send order notifications to the API (projections/order). */
export const notified = 'orderstream:notified'
/** The API signals the sender of account mails. */
export const accountMailsQueued = 'orderstream:account-mails'
/** The API signals the importer. */
export const importsChanged = 'orderstream:imports'
/** The API signals the sender of webhooks. */
export const webhooksRequested = 'orderstream:webhooks'

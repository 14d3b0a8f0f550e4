// Redis channels between the processes of a shop; a lost message costs one poll interval.

/** Order notifications from projectors to the API. */
export const orderNotificationsSent = 'orderstream:notified'
/** The API signals the sender of account mails. */
export const accountMailsQueued = 'orderstream:account-mails'
/** The API signals the importer. */
export const importsChanged = 'orderstream:imports'
/** The API signals the sender of webhooks. */
export const webhooksRequested = 'orderstream:webhooks'

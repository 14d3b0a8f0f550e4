// Signals that a commit raises for the rest of the process, such as "new mails are queued".

/** A raised signal; without a payload, some may have been missed. */
export interface Raised<Payload = unknown> {
  signal: string
  payload: Payload | undefined
}

/** A kind of signal. Projections and reactions declare those that their commits can raise. */
export interface Signal<Payload = unknown> {
  name: string
  raise(payload?: Payload): Raised<Payload>
  /** Whether it was this one that was raised. */
  is(raised: Raised): raised is Raised<Payload>
}

/** Defines a signal; its name is unique in the process. */
export function defineSignal<Payload = never>(name: string): Signal<Payload> {
  return {
    name,
    raise: payload => ({ signal: name, payload }),
    is: (raised): raised is Raised<Payload> => raised.signal === name,
  }
}

/** Receives the signals of a commit. */
export type Subscription = (raised: readonly Raised[]) => Promise<void>

/** Calls a listener once for each commit that raises the signal, with its payloads in order. */
export function subscribe<Payload>(
  signal: Signal<Payload>,
  listener: (payloads: readonly (Payload | undefined)[]) => Promise<void> | void,
): Subscription {
  return async raised => {
    const payloads = raised.filter(each => signal.is(each)).map(({ payload }) => payload)
    if (payloads.length > 0) await listener(payloads)
  }
}

/** Delivers the signals of a commit to the subscriptions, one after the other. */
export async function publish(
  subscriptions: readonly Subscription[],
  raised: readonly Raised[],
): Promise<void> {
  for (const deliver of subscriptions) await deliver(raised)
}

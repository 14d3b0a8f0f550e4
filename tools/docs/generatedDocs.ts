// The pages of docs/ that follow from the code, each with its text.
import { eventCatalogue } from './eventCatalogue.ts'

/** Path and text of every generated page. */
export async function generatedDocs(): Promise<{ path: string; text: string }[]> {
  return [{ path: 'docs/events.md', text: await eventCatalogue() }]
}

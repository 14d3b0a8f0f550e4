// The files of docs/ that follow from the code, each with its text.
import { asyncApiYaml } from './asyncApi.ts'
import { eventCatalogue } from './eventCatalogue.ts'

/** Path and text of every generated file. */
export async function generatedDocs(): Promise<{ path: string; text: string }[]> {
  return [
    { path: 'docs/events.md', text: await eventCatalogue() },
    { path: 'docs/asyncapi.yaml', text: asyncApiYaml() },
  ]
}

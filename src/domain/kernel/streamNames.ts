// The names of streams: a category, such as `order`, and the id of what the stream is about.

/** The category of a stream: the text before the first hyphen. */
export function categoryOf(stream: string): string {
  return stream.slice(0, stream.indexOf('-'))
}

/** The id of what a stream is about: the text after the first hyphen. */
export function idIn(stream: string): string {
  return stream.slice(stream.indexOf('-') + 1)
}

import { isObject, listOf, objectOf, parseJson } from './json.ts'
import type { JsonObject } from './json.ts'
import type { Protocol } from './protocol.ts'

/** More of an answer is not kept, in characters: nobody is shown more. */
const MOST_CHARS = 16_384

/** Keeps the beginning of what a model writes. */
export interface OutputText {
  /** `protocol`, whose answers and streams are kept as they are read. */
  reading: (protocol: Protocol) => Protocol
  text: () => string
}

export function createOutputText(): OutputText {
  let text = ''
  const add = (value: unknown) => {
    if (text.length < MOST_CHARS && isObject(value)) text += textIn(value).slice(0, MOST_CHARS - text.length)
  }
  return {
    text: () => text,
    reading: (protocol) => ({
      ...protocol,
      readAnswer(body) {
        for (const part of Array.isArray(body) ? body : [body]) add(part)
        return protocol.readAnswer(body)
      },
      observeStream(path) {
        const observer = protocol.observeStream(path)
        return {
          frame(event, data) {
            if (text.length < MOST_CHARS) add(parseJson(data))
            observer.frame(event, data)
          },
          observed: () => observer.observed(),
          textBytes: () => observer.textBytes(),
          ended: () => observer.ended(),
        }
      },
    }),
  }
}

/** The text of a whole answer, or of a frame of one, in whichever protocol; nothing of what the model thinks or calls. */
function textIn(body: JsonObject): string {
  const texts: unknown[] = [
    ...listOf(body.choices).map(objectOf).flatMap(textsOfChoice),
    // A response, a message, a candidate; then the frames of the first two.
    ...listOf(body.output).flatMap((item) => textsOfParts(objectOf(item).content)),
    ...textsOfParts(body.content),
    ...listOf(body.candidates).flatMap((one) => textsOfParts(objectOf(objectOf(one).content).parts)),
    body.type === 'response.output_text.delta' ? body.delta : objectOf(body.delta).text,
  ]
  return texts.filter((text) => typeof text === 'string').join('')
}

function textsOfChoice({ message, delta, text }: JsonObject): unknown[] {
  return [objectOf(message).content, objectOf(delta).content, text]
}

function textsOfParts(parts: unknown): unknown[] {
  return listOf(parts)
    .map(objectOf)
    .flatMap(({ text, thought }) => (thought === true ? [] : [text]))
}

import { Problem } from '@waybill/service-kit'
import { describe, expect, it } from 'vitest'
import { createFrameSplitter } from '../src/protocols/sse.ts'

interface Read {
  raw: string
  events: [event: string, data: string][]
}

/** What a splitter makes of `pieces`, and all of its bytes put together again. */
function split(pieces: readonly Buffer[], maxFrameBytes = 1024): Read {
  const splitter = createFrameSplitter({ maxFrameBytes })
  const frames = pieces.flatMap((piece) => splitter.push(piece))
  return {
    raw: Buffer.concat([...frames.map(({ raw }) => raw), splitter.rest()]).toString(),
    events: frames.flatMap(({ event, data }) => (data === undefined ? [] : [[event, data] as const])),
  }
}

const byteByByte = (text: string) => [...Buffer.from(text)].map((byte) => Buffer.from([byte]))

/** HTML Living Standard 9.2.5 and 9.2.6, and its examples. */
const STREAMS: [rule: string, text: string, events: Read['events']][] = [
  [
    'LF ends a line',
    'data: a\n\ndata: b\n\n',
    [
      ['', 'a'],
      ['', 'b'],
    ],
  ],
  [
    'CRLF ends a line',
    'event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n',
    [
      ['x', 'a'],
      ['', 'b'],
    ],
  ],
  [
    'CR ends a line',
    'data: a\r\rdata: b\r\r',
    [
      ['', 'a'],
      ['', 'b'],
    ],
  ],
  [
    'line ends may be mixed',
    'data: a\r\n\ndata: b\n\r\ndata: c\r\n\r',
    [
      ['', 'a'],
      ['', 'b'],
      ['', 'c'],
    ],
  ],
  ['a comment dispatches nothing', ': OPENROUTER PROCESSING\n\ndata: a\n\n', [['', 'a']]],
  ['a comment may stand within an event', 'event: x\n: ping\ndata: a\n\n', [['x', 'a']]],
  ['one byte order mark at the beginning is none of the text', '\ufeffdata: a\n\n', [['', 'a']]],
  ['a second one is', '\ufeff\ufeffdata: a\n\n', []],
  ['lines of data are joined by LF', 'data: YHOO\ndata: +2\ndata: 10\n\n', [['', 'YHOO\n+2\n10']]],
  [
    'one space after the colon is no part of the value',
    'data:a\n\ndata:  b\n\n',
    [
      ['', 'a'],
      ['', ' b'],
    ],
  ],
  [
    'a field without a colon has an empty value',
    'data\n\ndata\ndata\n\n',
    [
      ['', ''],
      ['', '\n'],
    ],
  ],
  ['an event without data dispatches nothing', 'event: x\n\nid: 1\nretry: 5\n\n', []],
  ['the last event name counts', 'event: x\nevent: y\ndata: a\n\n', [['y', 'a']]],
  ['other fields are passed over', 'test: 1\ndata: a\ndatum: b\n\n', [['', 'a']]],
  ['empty lines dispatch nothing', '\n\n\r\n\r\rdata: a\n\n\n\n', [['', 'a']]],
  ['what has not ended is not dispatched', 'data: a\n\ndata: b\n', [['', 'a']]],
  ['characters of several bytes', 'data: {"t":"日本語 🚢"}\n\n', [['', '{"t":"日本語 🚢"}']]],
]

describe('the splitter of server-sent events', () => {
  it.each(STREAMS)('%s, whole and fed byte by byte', (_rule, text, events) => {
    for (const pieces of [[Buffer.from(text)], byteByByte(text)]) {
      expect(split(pieces)).toEqual({ raw: text, events })
    }
  })

  it('gives the same wherever the stream is cut in two', () => {
    for (const [, text, events] of STREAMS) {
      const bytes = Buffer.from(text)
      for (let at = 0; at <= bytes.length; at++) {
        const read = split([bytes.subarray(0, at), bytes.subarray(at)])
        expect(read, JSON.stringify([text, at])).toEqual({ raw: text, events })
      }
    }
  })

  it("gives each frame's own bytes", () => {
    const texts = [': c\r\n\r\n', 'event: x\r\ndata: a\r\n\r\n', 'data: b\n\n', 'data: c\r\r']
    const frames = createFrameSplitter({ maxFrameBytes: 100 }).push(Buffer.from(texts.join('')))
    expect(frames.map(({ raw }) => raw.toString())).toEqual(texts)
  })

  it('does not wait for the next byte when CR ends the frame', () => {
    const splitter = createFrameSplitter({ maxFrameBytes: 100 })
    expect(splitter.push(Buffer.from('data: a\r\n\r'))[0]?.data).toBe('a')
    expect(splitter.push(Buffer.from('\ndata: b\r\n\r\n')).map(({ data }) => data)).toEqual(['b'])
  })

  it.each([
    ['in one piece', [Buffer.from(`data: ${'x'.repeat(100)}\n\n`)]],
    ['in many', byteByByte(`data: ${'x'.repeat(100)}`)],
  ])('refuses a frame that is larger than the limit, %s', (_, pieces) => {
    expect(() => split(pieces, 100)).toThrow(Problem)
    expect(() => split(pieces, 100)).toThrow(/MAX_FRAME_BYTES/)
    expect(split([Buffer.from('data: x\n\n'.repeat(100))], 100).events).toHaveLength(100)
  })
})

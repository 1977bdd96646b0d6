import { readStopWords } from './stop-words.ts'

/** A word or a number; marks belong to the letter before them. */
const WORD = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu

/** Scripts that put no space between words: there, two neighbouring characters stand for a word. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

const STOP_WORDS = readStopWords()

/** Returns the words of `text` in order, in lower case and NFKC; a run of an unspaced script as its pairs of characters. */
function wordsOf(text: string): string[] {
  const words: string[] = []
  for (const [word] of text.normalize('NFKC').toLowerCase().matchAll(WORD)) {
    if (!UNSPACED.test(word)) words.push(word)
    else words.push(...pairsOf(Array.from(word)))
  }
  return words
}

/** Returns the terms of `text` in order: its words without stop words, English endings taken off. */
export function termsOf(text: string): string[] {
  return wordsOf(text)
    .filter((word) => !STOP_WORDS.has(word))
    .map(stem)
}

function pairsOf(characters: string[]): string[] {
  if (characters.length === 1) return characters
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`)
}

/** Takes the commonest English endings off, so that `carries`, `carried` and `carrying` are one term. */
function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word
  const bare = word
    .replace(/(?<=.{2})(?:ies|ied)$/, 'y')
    .replace(/(?<=(?:s|x|z|ch|sh))es$/, '')
    .replace(/(?<=[^su])s$/, '')
    .replace(/(?<=[aeiouy].*[^aeiou])(?:ing|ed)$/, '')
  return bare.replace(/([^aeiouls])\1$/, '$1').replace(/(?<=.{3})e$/, '')
}

import { countOf } from './json.ts'

/** Of so many choices it is kept why they ended: a provider may send any number. */
const MOST_CHOICES = 16

/** Why each choice of an answer has ended. */
export class ChoiceEnds {
  readonly #reasons = new Map<number, string>()
  readonly #open = new Set<number>()

  /** A choice, or a piece of one; `reason` is undefined while it goes on. */
  add(index: unknown, reason: string | undefined): void {
    const choice = countOf(index) ?? 0
    if (choice >= MOST_CHOICES) return
    if (reason !== undefined) {
      this.#reasons.set(choice, reason)
      this.#open.delete(choice)
    } else if (!this.#reasons.has(choice)) this.#open.add(choice)
  }

  reasons(): string[] {
    return [...this.#reasons.values()]
  }

  /** Whether there are choices, and each has ended. */
  allEnded(): boolean {
    return this.#reasons.size > 0 && this.#open.size === 0
  }
}

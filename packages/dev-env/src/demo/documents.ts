import { fileURLToPath } from 'node:url'

const folder = (name: string): string => fileURLToPath(new URL(`../../documents/${name}`, import.meta.url))

/** The real documents that the demo sends through the platform; src/bin/documents.ts makes them. */
export const DEMO_DOCUMENTS = [
  { name: 'cold-chain-handbook.pdf', type: 'application/pdf', path: folder('cold-chain-handbook.pdf') },
  {
    name: 'warehouse-rules.docx',
    type: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    path: folder('warehouse-rules.docx'),
  },
] as const

/** A question that one passage of the first document answers, and the words that the answer must hold. */
export const DEMO_QUESTION = {
  question: 'At what temperature do vaccines travel?',
  expected: 'two and eight degrees',
}

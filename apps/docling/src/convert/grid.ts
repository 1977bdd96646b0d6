import { ConversionError } from './conversion-error.ts'
import type { Cell } from './document.ts'

/** A cell as the source wrote it, before its spans are spread over the grid. */
export interface SpanningCell {
  cell: Cell
  colspan: number
  rowspan: number
}

/** Slots of one table after spans are spread. A 40-byte `<td colspan=1000 rowspan=65534>` must not become 65 million. */
const MAX_TABLE_SLOTS = 1_000_000

/**
 * Spreads spans: a spanning cell appears in every slot it covers, rows are padded to one width, and a row that says
 * nothing which the next row does not say again (a header alone, spanning downwards) is dropped.
 * @throws ConversionError `too_large` beyond a million slots.
 */
export function spreadSpans(rows: readonly SpanningCell[][]): Cell[][] {
  const grid: SpanningCell[][] = rows.map(() => [])
  let taken = 0
  rows.forEach((row, rowIndex) => {
    let column = 0
    for (const spanning of row) {
      while (grid[rowIndex]?.[column]) column++
      const rowAfter = Math.min(rowIndex + spanning.rowspan, rows.length)
      taken += (rowAfter - rowIndex) * spanning.colspan
      refuseTooMany(taken)
      for (let r = rowIndex; r < rowAfter; r++) {
        // The first cell to claim a slot keeps it: overlapping spans are an error in the source.
        for (let c = column; c < column + spanning.colspan; c++) (grid[r] ??= [])[c] ??= spanning
      }
      column += spanning.colspan
    }
  })
  const telling = grid.filter((row, index) => !repeatsInNextRow(row, grid[index + 1]))
  return padRows(
    telling.map((row) => Array.from(row, (spanning, column) => cellAt(spanning, row[column - 1]))),
  )
}

/** Plain text is repeated along the row; formatted content, images above all, appears once. */
function cellAt(spanning: SpanningCell | undefined, before: SpanningCell | undefined): Cell {
  if (!spanning) return ''
  return spanning === before && typeof spanning.cell !== 'string' ? '' : spanning.cell
}

/**
 * @returns rows of one width; missing cells are empty strings.
 * @throws ConversionError `too_large` beyond a million slots.
 */
export function padRows(rows: readonly Cell[][]): Cell[][] {
  const width = rows.reduce((widest, row) => Math.max(widest, row.length), 0)
  refuseTooMany(width * rows.length)
  return rows.map((row) => Array.from({ length: width }, (_, column) => row[column] ?? ''))
}

function repeatsInNextRow(row: SpanningCell[], next: SpanningCell[] | undefined): boolean {
  return next !== undefined && row.length > 0 && row.every((spanning, column) => spanning === next[column])
}

function refuseTooMany(slots: number) {
  if (slots <= MAX_TABLE_SLOTS) return
  throw new ConversionError('too_large', `a table in it has more than ${String(MAX_TABLE_SLOTS)} cells`)
}

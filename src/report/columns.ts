/** Rows of text in columns. */

/** The first and the last column begin at the left; the others end at the right. */
export function columned(rows: readonly string[][], indent = '  '): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => {
    const cells = row.map((cell, column) =>
      column === 0 || column === row.length - 1
        ? cell.padEnd(widths[column]!)
        : cell.padStart(widths[column]!),
    )
    return `${indent}${cells.join('  ')}`.trimEnd()
  })
}

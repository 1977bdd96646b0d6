/** Whether a text is a time exactly as StoredRecord writes it, so that comparing times and comparing texts is the same. */
export function isTime(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text)) return false
  const time = new Date(text)
  // Postgres knows no year 0.
  return !Number.isNaN(time.getTime()) && time.getUTCFullYear() > 0 && time.toISOString() === text
}

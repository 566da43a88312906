/** Rates as network people write them. */

/** As network people count: 1 Mbit/s is a million bits a second. */
export function formatBits(bytesPerSecond: number): string {
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']
  let value = bytesPerSecond * 8
  let unit = 0
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1e3
  return `${Number(value.toPrecision(3))} ${units[unit]}`
}

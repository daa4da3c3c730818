/** Words of the catalogue. */
const words = ['anchor', 'barnacle', 'current', 'dorsal', 'eel', 'fin', 'gill', 'herring', 'isopod', 'kelp'];

/**
 * Finds words of the catalogue. The pattern checks that the query is made of letters in groups; it has a look-ahead
 * and nested repetition, so some queries take exponential time, and no engine flag cures it.
 */
export function search(query: string): string[] {
  if (!/^(?=.)(([a-z])+.)+[A-Z0-9]?$/.test(`${query}.`)) return [];
  return words.filter((word) => word.includes(query));
}

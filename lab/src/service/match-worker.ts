// A thread of the hardened service's pool: tests one text against one pattern.
import { isTitle, type TitlePattern } from './patterns.ts';

export default function match({ text, pattern }: { text: string; pattern: TitlePattern }): boolean {
  return isTitle(text, pattern);
}

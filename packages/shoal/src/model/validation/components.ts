/**
 * Strongly connected components (Tarjan, without recursion) of a directed graph of names. Each comes in the order of
 * `nodes`; components of one node without an edge to itself are left out: what is left are the cycles.
 */
export function cyclesOf(
  nodes: readonly string[],
  next: (node: string) => readonly string[],
): readonly (readonly string[])[] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const onStack = new Set<string>();
  const stack: string[] = [];
  const found: string[][] = [];
  const lower = (node: string, to: number): void => {
    low.set(node, Math.min(low.get(node) ?? to, to));
  };
  const open = (node: string): { node: string; rest: string[] } => {
    index.set(node, index.size);
    lower(node, index.get(node) ?? 0);
    stack.push(node);
    onStack.add(node);
    return { node, rest: [...next(node)] };
  };
  for (const root of nodes) {
    if (index.has(root)) continue;
    const path = [open(root)];
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      const to = frame.rest.shift();
      if (to !== undefined) {
        if (!index.has(to)) path.push(open(to));
        else if (onStack.has(to)) lower(frame.node, index.get(to) ?? 0);
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) lower(parent.node, low.get(frame.node) ?? 0);
      if (low.get(frame.node) !== index.get(frame.node)) continue;
      const members = stack.splice(stack.indexOf(frame.node));
      for (const member of members) onStack.delete(member);
      if (members.length > 1 || next(frame.node).includes(frame.node)) found.push(members);
    }
  }
  return found.map((members) => nodes.filter((node) => members.includes(node)));
}

/** A shortest cycle through `start` that stays within `members`: `start`, …, `start`. */
export function cycleThrough(
  start: string,
  members: readonly string[],
  next: (node: string) => readonly string[],
): readonly string[] {
  const before = new Map<string, string>();
  const queue = [start];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const to of next(node)) {
      if (to === start) {
        const path = [start];
        for (let at: string | undefined = node; at !== undefined && at !== start; at = before.get(at))
          path.unshift(at);
        return [start, ...path];
      }
      if (!members.includes(to) || before.has(to)) continue;
      before.set(to, node);
      queue.push(to);
    }
  }
  return [start, start];
}
